// The entry for edge functions without files (Vercel, Fastly).
import type { LoadedReranker } from "./api/reranker.js";
import { rerankerOn } from "./api/reranker-on.js";
import { edge } from "./platform/edge.js";

export * from "./exports.js";

export const Reranker = rerankerOn(edge);
export type Reranker = LoadedReranker;
