// Uses transformers.js with a cross-encoder as a page would.
import { wasmBytes, watchMemories } from "./memory.js";

/** A common batch size, and the fastest one for onnxruntime here. */
const batchSize = 16;

let tokenizer;
let model;

/**
 * Imports the library, loads a model and scores `warmUp`; times begin with the import.
 * @param {{ model: string, host: string, dtype: string, threads: number, device: string, watch: boolean, warmUp: object }} settings
 */
export async function load({ model: id, host, dtype, threads, device, watch, warmUp }) {
  if (watch) watchMemories();
  const started = performance.now();
  const { env, AutoTokenizer, AutoModelForSequenceClassification } = await import("/transformers/transformers.min.js");
  env.allowLocalModels = false;
  env.remoteHost = host;
  const { wasm } = env.backends.onnx;
  wasm.numThreads = threads;
  // By default, these files come from a CDN.
  const local = (url) => new URL(`/onnxruntime/${url.split("/").at(-1)}`, location.href).href;
  wasm.wasmPaths = { mjs: local(wasm.wasmPaths.mjs), wasm: local(wasm.wasmPaths.wasm) };
  [tokenizer, model] = await Promise.all([
    AutoTokenizer.from_pretrained(id),
    AutoModelForSequenceClassification.from_pretrained(id, { device, dtype }),
  ]);
  const loaded = performance.now();
  const loadedBytes = watch ? wasmBytes() : undefined;
  await score({ ...warmUp, batching: "sorted" });
  const scored = performance.now();
  return {
    load_ms: loaded - started,
    first_score_ms: scored - started,
    loaded_wasm_bytes: loadedBytes,
    backend: { engine: "transformers.js", version: env.version, file: wasm.wasmPaths.wasm.split("/").at(-1), threads: wasm.numThreads },
  };
}

/**
 * Scores a workload. Returns the milliseconds from texts to scores, and the logits in input order.
 * @param {"sorted" | "padded"} batching batches of documents of similar length, or one batch of all documents
 */
export async function score({ query, documents, batching }) {
  const started = performance.now();
  const order = documents.map((_, index) => index);
  if (batching === "sorted") order.sort((a, b) => documents[a].length - documents[b].length);
  const size = batching === "sorted" ? batchSize : documents.length;
  const scores = new Array(documents.length);
  for (let at = 0; at < order.length; at += size) {
    const batch = order.slice(at, at + size);
    const inputs = tokenizer(new Array(batch.length).fill(query), {
      text_pair: batch.map((index) => documents[index]),
      padding: true,
      truncation: true,
    });
    const { logits } = await model(inputs);
    batch.forEach((index, row) => (scores[index] = logits.data[row]));
  }
  return { ms: performance.now() - started, scores };
}

export { wasmBytes };
