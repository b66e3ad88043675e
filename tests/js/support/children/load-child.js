// Run as a process of its own: loads the model `id` from `baseUrl` through the cache in `folder`, and prints its first
// score and what it warns of.
import { dist } from "../paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const [id, baseUrl, folder] = process.argv.slice(2);
const reranker = await Reranker.load(id, { baseUrl, cache: folder, workers: 0 });
const [score] = await reranker.score([["a query", "a document"]]);
console.log(JSON.stringify({ score, warnings: reranker.info.warnings }));
