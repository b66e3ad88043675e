// A Worker that is complete by itself: the engine and the small model are part of its upload. It answers rerank clients of
// Cohere, Jina, Voyage, Text Embeddings Inference and others.
import { Reranker } from "ranklet";
import { createHandler } from "ranklet/server";
import "ranklet/small-model";

let handler;

export default {
  fetch(request, env, context) {
    // `wrangler secret put API_KEY` sets a key. The isolate's 128 MB are for the bodies of all requests too.
    const options = { ...(env.API_KEY !== undefined && { apiKeys: env.API_KEY }), model: "ranklet/small", maxBodyBytes: 2e6 };
    // The model is loaded for the first request that needs it, and kept.
    handler ??= createHandler(() => Reranker.load("ranklet/small"), options);
    return handler(request, env, context);
  },
};
