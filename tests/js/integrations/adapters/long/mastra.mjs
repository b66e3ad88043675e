// Runs in a project with the packed package and Mastra: ranks vector results through rerankWithScorer and prints them.
import { rerankWithScorer } from "@mastra/rag";
import { createScorer } from "ranklet/mastra";

const [query, ...texts] = JSON.parse(process.argv[2]);
const results = texts.map((text, index) => ({ id: `${index}`, score: 0.5, metadata: { text } }));
const weights = { semantic: 1, vector: 0, position: 0 };
const ranked = await rerankWithScorer({ results, query, scorer: createScorer(), options: { weights, topK: 2 } });
process.stdout.write(`${JSON.stringify(ranked.map(({ result, score }) => ({ id: result.id, score })))}\n`, () => process.exit(0));
