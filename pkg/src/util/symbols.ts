// Older runtimes have no Symbol.dispose. Symbol.for gives the symbols that polyfills use as well.

export const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for("Symbol.dispose");
export const asyncDispose: typeof Symbol.asyncDispose = Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose");

/**
 * The key of an option of `rerank` that no caller but `ranklet/server` gives: a function that is called with the number of sentences
 * that `highlights` will score, and throws to refuse them.
 */
export const checkSentences: unique symbol = Symbol.for("ranklet.checkSentences");
