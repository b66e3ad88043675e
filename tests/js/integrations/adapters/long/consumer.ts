// Compiled and never run: the adapters where Genkit and Mastra expect their parts.
import type { RelevanceScoreProvider } from "@mastra/core/relevance";
import { genkit } from "genkit";
import { ranklet } from "ranklet/genkit";
import { createScorer } from "ranklet/mastra";

export const ai = genkit({ plugins: [ranklet({ rerankers: { default: undefined, other: "organization/model" } })] });
export const scorer: RelevanceScoreProvider = createScorer();
