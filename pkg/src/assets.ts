// Where the files that are fetched at run time lie. Bundlers that know `new URL(…, import.meta.url)` carry them along;
// for others, the folder `assets` is copied beside the bundle.

/** The engine. */
export const engineUrl = new URL("./assets/ranklet_bg.wasm", import.meta.url);

/** Starts the program of the worker. */
export function newWorker(name: string): Worker {
  return new Worker(new URL("./assets/worker.js", import.meta.url), { type: "module", name });
}
