// An endpoint for rerank clients: Cohere, Jina, Voyage, Text Embeddings Inference and others. The engine is part of the Worker,
// and the default model is one of its static assets.
import { Reranker } from "ranklet";
import { createHandler } from "ranklet/server";

let handler;

export default {
  fetch(request, env, context) {
    // The model is loaded for the first request that needs it, and kept. `wrangler secret put API_KEY` sets a key.
    handler ??= createHandler(() => Reranker.load("/default/", { fetch: env.ASSETS }), { apiKeys: env.API_KEY });
    return handler(request, env, context);
  },
};
