// Ranks the lines of a file: node rerank.js "a question" documents.txt
import { readFile } from "node:fs/promises";

import { Reranker } from "ranklet";

const [query, path] = process.argv.slice(2);
if (path === undefined) {
  console.error('usage: node rerank.js "a question" documents.txt');
  process.exit(2);
}
const documents = (await readFile(path, "utf8")).split("\n").filter((line) => line.trim() !== "");

const reranker = await Reranker.load();
const { results, timings } = await reranker.rerank({ query, documents, topN: 3 });
for (const { index, score } of results) console.log(score.toFixed(3), documents[index]);
console.error(`${documents.length} documents in ${timings.totalMs.toFixed(0)} ms`);
reranker.dispose();
