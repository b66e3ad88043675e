// A Worker that is complete by itself: the engine and the small model are part of its upload. It answers rerank clients of
// Cohere, Jina, Voyage, Text Embeddings Inference and others.
import { Reranker } from "ranklet";
import { createHandler } from "ranklet/server";
import "ranklet/small-model";

let handler;

export default {
  fetch(request, env, context) {
    // The model is loaded for the first request that needs it, and kept. `wrangler secret put API_KEY` sets a key.
    handler ??= createHandler(() => Reranker.load("ranklet/small"), { model: "ranklet/small", apiKeys: env.API_KEY });
    return handler(request, env, context);
  },
};
