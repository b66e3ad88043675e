// The entry for Node, Deno and Bun.
import type { LoadedReranker } from "./api/reranker.js";
import { rerankerOn } from "./api/reranker-on.js";
import { node } from "./platform/node.js";

export * from "./exports.js";

export const Reranker = rerankerOn(node);
export type Reranker = LoadedReranker;
