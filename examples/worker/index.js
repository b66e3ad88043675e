// Ranks the documents of a request: POST { "query": "…", "documents": ["…", "…"] }. The engine is part of the Worker, and the
// default model is one of its static assets.
import { Reranker } from "ranklet";

let loading;

/** Loads the model for the first request and keeps it for later ones. A failure is not kept. */
function load(env) {
  loading ??= Reranker.load("/default/", { fetch: env.ASSETS }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

export default {
  async fetch(request, env) {
    if (request.method !== "POST") return new Response("POST a query and documents as JSON", { status: 405 });
    const reranker = await load(env);
    const { query, documents } = await request.json();
    const { results } = await reranker.rerank({ query, documents, topN: 3, returnDocuments: true });
    return Response.json(results);
  },
};
