import { hasRelaxedSimd } from "./engine/relaxed-simd.js";

// URLs of the files that are fetched at run time. Bundlers that understand `new URL(…, import.meta.url)` include the files;
// for others, the application copies the folder `assets` next to the bundle.

/** The engine for runtimes with SIMD. */
const engineUrl = new URL("./assets/ranklet_bg.wasm", import.meta.url);

/** The engine for runtimes with relaxed SIMD: faster, with the same scores. */
const relaxedEngineUrl = new URL("./assets/ranklet_relaxed_bg.wasm", import.meta.url);

/** Returns the URL of the fastest engine that this runtime can compile. */
export function bestEngineUrl(): URL {
  return hasRelaxedSimd() ? relaxedEngineUrl : engineUrl;
}

/** Starts the worker's program. */
export function newWorker(name: string): Worker {
  return new Worker(new URL("./assets/worker.js", import.meta.url), { type: "module", name });
}
