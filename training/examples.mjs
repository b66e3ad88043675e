// Prints how a model ranks the examples that a reader of this project meets: the demo page's questions, the README's
// example, and the question about France in the model cards.
//
//     node training/examples.mjs [FOLDER]
//
// It needs the built package and the packages of www. Without a folder it measures the default model.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { Reranker } from "../pkg/dist/index.node.js";
import { keywordIndex } from "../www/search/keywords.js";

const examples = JSON.parse(readFileSync(new URL("examples.json", import.meta.url), "utf8"));

const folder = process.argv[2];
const reranker = await Reranker.load(folder === undefined ? undefined : `${resolve(folder)}/`);
try {
  const { passages, queries } = JSON.parse(readFileSync(new URL("../www/documents/collection.json", import.meta.url), "utf8"));
  const find = keywordIndex(passages);
  let sum = 0;
  for (const { query, answer } of queries) {
    const hits = find(query).map(({ index }) => passages[index]);
    const { results } = await reranker.rerank({ query, documents: hits });
    const rank = results.findIndex(({ index }) => hits[index].id === answer);
    if (rank >= 0) sum += 1 / (rank + 1);
  }
  console.log(`demo page, ${queries.length} questions: mean reciprocal rank ${(sum / queries.length).toFixed(3)}`);
  for (const [query, documents] of Object.entries(examples)) {
    const { results } = await reranker.rerank({ query, documents });
    console.log(`\n${query}`);
    for (const { index, score } of results) console.log(`${score.toFixed(3)}  ${documents[index]}`);
  }
} finally {
  reranker.dispose();
}
