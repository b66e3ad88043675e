// An endpoint for rerank clients: Cohere, Jina, Voyage, Text Embeddings Inference and others. The engine is part of the Worker,
// and the default model is one of its static assets.
import { Reranker } from "ranklet";
import { createHandler } from "ranklet/server";

let handler;

export default {
  fetch(request, env, context) {
    // `wrangler secret put API_KEY` sets a key. The isolate's 128 MB are for the bodies of all requests too.
    const options = { ...(env.API_KEY !== undefined && { apiKeys: env.API_KEY }), maxBodyBytes: 2e6 };
    // The model is loaded for the first request that needs it, and kept.
    handler ??= createHandler(() => Reranker.load("/default/", { fetch: env.ASSETS }), options);
    return handler(request, env, context);
  },
};
