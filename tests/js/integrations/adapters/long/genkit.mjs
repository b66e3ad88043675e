// Runs in a project with the packed package and Genkit: ranks through ai.rerank and prints the answer.
import { Document, genkit } from "genkit";
import { ranklet } from "ranklet/genkit";

const [query, ...texts] = JSON.parse(process.argv[2]);
const ai = genkit({ plugins: [ranklet()] });
const documents = texts.map((text, index) => Document.fromText(text, { source: `${index}.txt` }));
const ranked = await ai.rerank({ reranker: "ranklet/default", query, documents, options: { k: 2 } });
process.stdout.write(`${JSON.stringify(ranked.map(({ text, metadata }) => ({ text, metadata })))}\n`, () => process.exit(0));
