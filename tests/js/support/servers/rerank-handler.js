import { dist } from "../paths.js";

const { createHandler } = await import(new URL("server/index.js", dist));

/** The question and the documents of the tests, with the index of the right answer. */
export const question = {
  query: "What is the capital of France?",
  documents: ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bananas are yellow."],
  best: 1,
};

/**
 * A handler whose requests are made by `post` and `get`, without a server.
 * @returns an object with `post(path, body, init)`, `get(path, init)` and `handler`
 */
export function client(reranker, options) {
  const handler = createHandler(reranker, options);
  const send = (path, init) => handler(new Request(`http://localhost${path}`, { duplex: "half", ...init }));
  const post = (path, body, init) =>
    send(path, { method: "POST", body: typeof body === "string" || body instanceof ReadableStream ? body : JSON.stringify(body), ...init });
  return { handler, post, get: send };
}

/** A reranker that answers at once. */
export const quickReranker = {
  info: { numLabels: 1 },
  rerank: async ({ documents }) => ({
    results: documents.map((_, index) => ({ index, score: 0.5 })),
    usage: { tokens: 1, documents: documents.length },
    timings: { cacheHits: 0 },
  }),
};

/** A reranker whose calls end when `release` is called, with the signals of the calls that run. */
export function manualReranker() {
  const calls = [];
  return {
    calls,
    info: { numLabels: 1 },
    rerank: ({ query, documents, signal }) =>
      new Promise((resolve, reject) => {
        const release = () =>
          resolve({
            results: documents.map((_, index) => ({ index, score: 0.5 })),
            usage: { tokens: documents.length, documents: documents.length },
            timings: { cacheHits: 0 },
          });
        calls.push({ query, signal, release, reject });
      }),
  };
}
