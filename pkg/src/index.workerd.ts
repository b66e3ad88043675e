// The entry for workerd (Cloudflare Workers).
import { rerankerOn } from "./api/reranker-on.js";
import { workerd } from "./platform/workerd.js";

export * from "./exports.js";

export class Reranker extends rerankerOn(workerd) {}
