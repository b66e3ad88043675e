// Uses Ranklet as a page would.
import { wasmBytes, watchMemories } from "./memory.js";

let reranker;

/**
 * Imports the library, loads a model (the default model if it has no name) and scores `warmUp`; times begin with the import.
 * @param {{ library: string, model?: string, options: object, simd128: boolean, watch: boolean, warmUp: object }} settings
 */
export async function load({ library, model, options, simd128, watch, warmUp }) {
  if (watch) watchMemories();
  // Ranklet asks `validate` whether the browser has relaxed SIMD, and loads the other file if it does not.
  if (simd128) WebAssembly.validate = () => false;
  const started = performance.now();
  const { Reranker } = await import(library);
  reranker = await Reranker.load(model, options);
  const loaded = performance.now();
  const loadedBytes = watch ? wasmBytes() : undefined;
  await reranker.rerank(warmUp);
  const scored = performance.now();
  return {
    load_ms: loaded - started,
    first_score_ms: scored - started,
    loaded_wasm_bytes: loadedBytes,
    memory_bytes: reranker.info.memoryBytes,
    backend: reranker.info.backend,
  };
}

/** Scores a workload. Returns the milliseconds from texts to scores, and the logits in input order. */
export async function score({ query, documents }) {
  const started = performance.now();
  const { results, usage } = await reranker.rerank({ query, documents, scores: "raw" });
  const ms = performance.now() - started;
  const scores = new Array(documents.length);
  for (const { index, score } of results) scores[index] = score;
  return { ms, scores, tokens: usage.tokens };
}

export { wasmBytes };
