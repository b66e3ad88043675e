// A separate process that loads the model `id` from `baseUrl` through the cache in `folder`, or through the default one, and
// prints a score and the warnings, or the error.
import { dist } from "../paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const [id, baseUrl, folder] = process.argv.slice(2);
try {
  const reranker = await Reranker.load(id, { baseUrl, cache: folder, workers: 0 });
  const [score] = await reranker.score([["a query", "a document"]]);
  console.log(JSON.stringify({ score, warnings: reranker.info.warnings }));
} catch ({ name, code, message }) {
  console.log(JSON.stringify({ name, code, message }));
}
