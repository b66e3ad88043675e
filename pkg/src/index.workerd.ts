// The entry for workerd (Cloudflare Workers).
import type { LoadedReranker } from "./api/reranker.js";
import { rerankerOn } from "./api/reranker-on.js";
import { workerd } from "./platform/workerd.js";

export * from "./exports.js";

export const Reranker = rerankerOn(workerd);
export type Reranker = LoadedReranker;
