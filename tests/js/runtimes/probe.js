// Uses the package as an application does, in every runtime: without imports, and with standard functions only.

const query = "What is the capital of France?";
const documents = [
  "Berlin is the capital of Germany.",
  "France is a country in Western Europe.",
  "The Eiffel Tower is located in Paris.",
  "Paris is the capital of France and its largest city.",
];

/** The index of the document that answers the query. */
export const bestIndex = 3;

/** The code of the error for each wrong use. */
export const refusals = {
  "no query": "input",
  "a document that is null": "input",
  "a document that is a number": "input",
  "documents that are a text": "input",
  "an unknown option": "input",
  "topN of 0": "input",
  "unknown scores": "input",
  "a pair of one text": "input",
  "an unknown option of load": "input",
  "a name that is no model": "input",
  "no files": "config",
  "damaged files": "config",
};

/**
 * Loads, ranks, cancels and makes mistakes.
 * @param {{ importPackage: () => Promise<object>, load?: unknown[], memory?: () => number }} way how to import the package, the
 *   arguments of load, and how to measure memory in bytes
 * @returns {Promise<{ report: object, finish: () => Promise<string> }>} `finish` disposes the reranker and returns the code of
 *   the error that a later call gives
 */
export async function probe({ importPackage, load = [], memory }) {
  const start = performance.now();
  const { Reranker } = await importPackage();
  const reranker = await Reranker.load(...load);
  const best = await rank(reranker);
  const report = {
    firstScoreMs: performance.now() - start,
    best,
    workers: reranker.info.backend.workers,
    warnings: reranker.info.warnings,
  };
  report.memoryBytes = memory?.();
  report.canceled = await cancel(reranker);
  report.refused = await refuse(Reranker, reranker, load);
  report.bestAfterwards = await rank(reranker);
  const finish = async () => {
    reranker.dispose();
    return codeOf(() => rank(reranker));
  };
  return { report, finish };
}

async function rank(reranker) {
  const { results } = await reranker.rerank({ query, documents });
  return results[0].index;
}

/** Aborts a call of several seconds soon after it has begun. */
async function cancel(reranker) {
  const many = Array.from({ length: 1000 }, (_, at) => `${documents[at % documents.length]} ${at} `.repeat(20));
  const controller = new AbortController();
  let abortedAt;
  const onProgress = () => {
    if (abortedAt !== undefined) return;
    abortedAt = performance.now();
    controller.abort();
  };
  const code = await codeOf(() => reranker.rerank({ query, documents: many, signal: controller.signal, onProgress }));
  return { code, ms: performance.now() - abortedAt };
}

async function refuse(Reranker, reranker, [, options]) {
  const damaged = { "config.json": new Uint8Array(1), "tokenizer.json": new Uint8Array(1), "model.safetensors": new Uint8Array(1) };
  const uses = {
    "no query": () => reranker.rerank({ documents }),
    "a document that is null": () => reranker.rerank({ query, documents: [null] }),
    "a document that is a number": () => reranker.rerank({ query, documents: [7] }),
    "documents that are a text": () => reranker.rerank({ query, documents: "text" }),
    "an unknown option": () => reranker.rerank({ query, documents, topResults: 3 }),
    "topN of 0": () => reranker.rerank({ query, documents, topN: 0 }),
    "unknown scores": () => reranker.rerank({ query, documents, scores: "percent" }),
    "a pair of one text": () => reranker.score([["text"]]),
    "an unknown option of load": () => Reranker.load(undefined, { ...options, gpu: true }),
    "a name that is no model": () => Reranker.load("no model", options),
    "no files": () => Reranker.load({}, options),
    "damaged files": () => Reranker.load(damaged, options),
  };
  const codes = {};
  for (const [name, use] of Object.entries(uses)) codes[name] = await codeOf(use);
  return codes;
}

/** Returns the code of the package's error, or another error or value as text. */
async function codeOf(use) {
  try {
    return `no error: ${JSON.stringify(await use())}`;
  } catch (error) {
    return error.name === "RankletError" ? error.code : String(error);
  }
}
