const loneSurrogates = /\p{Surrogate}/gu;

/** Replaces each lone surrogate of a text by U+FFFD, as `TextEncoder` does. */
export function wellFormed(text: string): string {
  return text.replace(loneSurrogates, "\ufffd");
}
