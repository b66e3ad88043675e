// Apart from assets.ts, for bundlers for browsers would carry this along.

/** The program of the worker in Node. */
export const workerUrl = new URL("./assets/worker.mjs", import.meta.url);
