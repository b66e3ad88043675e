// The same ranking without a server and without Cohere's client.
import { Reranker } from "ranklet";

const documents = [
  "The parcel was left with a neighbor.",
  "Returned goods are refunded within five working days.",
  "Our shops close at eight in the evening.",
  "An item can be sent back for thirty days, also without its packaging.",
];

const reranker = await Reranker.load();
// `scores: "sigmoid"` gives scores between 0 and 1, as Cohere does.
const { results } = await reranker.rerank({ query: "When do I get my money back?", documents, topN: 2, scores: "sigmoid" });
for (const { index, score } of results) console.log(score.toFixed(3), documents[index]);
reranker.dispose();
