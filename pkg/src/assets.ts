import { hasRelaxedSimd } from "./engine/relaxed-simd.js";

// Where the files that are fetched at run time lie. Bundlers that know `new URL(…, import.meta.url)` carry them along;
// for others, the folder `assets` is copied beside the bundle.

/** The engine, for every runtime with SIMD. */
const engineUrl = new URL("./assets/ranklet_bg.wasm", import.meta.url);

/** The engine with relaxed SIMD: the same scores, sooner. */
const relaxedEngineUrl = new URL("./assets/ranklet_relaxed_bg.wasm", import.meta.url);

/** The fastest engine this runtime takes. */
export function bestEngineUrl(): URL {
  return hasRelaxedSimd() ? relaxedEngineUrl : engineUrl;
}

/** Starts the program of the worker. */
export function newWorker(name: string): Worker {
  return new Worker(new URL("./assets/worker.js", import.meta.url), { type: "module", name });
}
