import type { Found } from "./first-stage.js";

/** A place in Ranklet's order; without a score while the passage waits for one. */
export interface Entry {
  readonly index: number;
  readonly score: number | undefined;
}

/** Both orders of one query. */
export interface Orders {
  readonly found: Found;
  readonly entries: readonly Entry[];
}

/** The order in which candidates wait: as they stood before, so that the list moves as little as it can; new ones last. */
export function waitingEntries(found: Found, before: readonly Entry[]): Entry[] {
  const wanted = new Set(found.candidates);
  const staying = before.map(({ index }) => index).filter((index) => wanted.has(index));
  return [...new Set([...staying, ...found.candidates])].map((index) => ({ index, score: undefined }));
}

/** Those with a score, best first, before those that wait. */
export function settledEntries(scored: readonly { readonly index: number; readonly score: number }[], waiting: readonly Entry[]): Entry[] {
  const done = new Set(scored.map(({ index }) => index));
  return [...scored, ...waiting.filter(({ index }) => !done.has(index))];
}
