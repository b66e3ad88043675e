// Ranks passages with Ranklet. The model is part of the package.
import { Reranker } from "ranklet";

import { passages, query } from "./passages.js";

const reranker = await Reranker.load();
// `scores: "raw"` gives logits, as the model of transformers.js does.
const { results } = await reranker.rerank({ query, documents: passages, topN: 2, scores: "raw" });
for (const { index, score } of results) console.log(score.toFixed(3), passages[index]);
reranker.dispose();
