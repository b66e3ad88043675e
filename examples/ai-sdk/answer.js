// Answers a question from a few documents (RAG): embeddings find candidates, Ranklet picks the best, and a language model reads
// these alone.
//   node answer.js "a question"
import { cosineSimilarity, embed, embedMany, generateText, rerank } from "ai";
import { ranklet } from "ranklet/ai-sdk";

import { documents } from "./documents.js";
import { embeddingModel, languageModel } from "./models.js";

const question = process.argv[2] ?? "How often should I water succulents in summer?";

// 1. Candidates: many, found quickly.
const { embeddings } = await embedMany({ model: embeddingModel, values: documents });
const { embedding } = await embed({ model: embeddingModel, value: question });
const candidates = documents
  .map((text, index) => ({ text, similarity: cosineSimilarity(embedding, embeddings[index]) }))
  .sort((a, b) => b.similarity - a.similarity)
  .slice(0, 20)
  .map(({ text }) => text);

// 2. The best of them, read together with the question.
const { ranking } = await rerank({ model: ranklet("default"), query: question, documents: candidates, topN: 2 });

// 3. The answer.
const sources = ranking.map(({ document }, index) => `[${index + 1}] ${document}`).join("\n");
const { text } = await generateText({
  model: languageModel,
  instructions: "Answer from the sources alone, and name their numbers.",
  prompt: `Sources:\n${sources}\n\nQuestion: ${question}`,
});

console.log(sources);
console.log(text);
