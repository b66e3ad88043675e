// Uses Ranklet in workers as a page would, and watches the workers: their memory, and the time of each micro-batch.

let reranker;
/** The plan of the workers, and the times of micro-batches in the first worker and in the others. */
let plan;
let times;

/** Starts workers with a program that answers for their memory, and records their messages. */
class WatchedWorker extends Worker {
  constructor(program, options) {
    const imports = [new URL("worker-memory.js", import.meta.url), new URL(program, location.href)].map(
      ({ href }) => `import ${JSON.stringify(href)};`,
    );
    super(URL.createObjectURL(new Blob(imports, { type: "text/javascript" })), options);
    this.addEventListener("message", ({ data }) => {
      if (data.type === "split") plan = data.plan;
      if (data.type === "ran") times.others.push(data.ms);
      if (data.type === "partial") times.all.push({ ms: data.partial.engineMs, tokens: data.partial.tokens });
    });
  }
}

/** Loads a model. Times begin with the import. */
export async function load({ library, model, baseUrl, dtype, workers, split, warmUp }) {
  globalThis.Worker = WatchedWorker;
  plan = undefined;
  times = { all: [], others: [] };
  const started = performance.now();
  const { Reranker } = await import(library);
  // Without the cache, which would store gigabytes.
  reranker = await Reranker.load(model, { baseUrl, dtype, workers, split, device: "cpu", cache: false });
  const load_ms = performance.now() - started;
  await reranker.rerank(warmUp);
  return {
    load_ms,
    first_score_ms: performance.now() - started,
    memory_bytes: reranker.info.memoryBytes,
    backend: reranker.info.backend,
    splitPoints: plan?.splitPoints,
  };
}

/** Scores a workload. Returns the milliseconds, the logits in input order, and the times of the micro-batches. */
export async function score({ query, documents }) {
  times = { all: [], others: [] };
  const started = performance.now();
  const { results, usage } = await reranker.rerank({ query, documents, scores: "raw" });
  const ms = performance.now() - started;
  const scores = new Array(documents.length);
  for (const { index, score } of results) scores[index] = score;
  return { ms, scores, tokens: usage.tokens, times };
}

/** Returns the size of the WebAssembly memories of each worker, in bytes. */
export async function wasmBytes() {
  const channel = new BroadcastChannel("memory");
  const sizes = [];
  const answered = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("a worker did not tell its memory")), 60_000);
    channel.onmessage = ({ data }) => {
      if (sizes.push(data) === reranker.info.backend.workers) resolve();
    };
  });
  channel.postMessage("ask");
  await answered;
  channel.close();
  return sizes;
}
