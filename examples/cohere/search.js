// Ranks documents with Cohere's client. `environment` is the only line that changed.
import { CohereClientV2 } from "cohere-ai";

const cohere = new CohereClientV2({
  token: process.env.API_KEY ?? "not checked by the server of this example",
  environment: "http://127.0.0.1:8787",
});

const documents = [
  "The parcel was left with a neighbor.",
  "Returned goods are refunded within five working days.",
  "Our shops close at eight in the evening.",
  "An item can be sent back for thirty days, also without its packaging.",
];
const { results } = await cohere.rerank({ model: "rerank-v3.5", query: "When do I get my money back?", documents, topN: 2 });
for (const { index, relevanceScore } of results) console.log(relevanceScore.toFixed(3), documents[index]);
