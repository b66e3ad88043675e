// Separate from assets.ts, because bundlers for browsers would include this file.

/** The worker's program in Node. */
export const workerUrl = new URL("./assets/worker.mjs", import.meta.url);
