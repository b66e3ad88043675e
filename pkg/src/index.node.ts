// The entry for Node, Deno and Bun.
import { rerankerOn } from "./api/reranker-on.js";
import { node } from "./platform/node.js";

export * from "./exports.js";

export class Reranker extends rerankerOn(node) {}
