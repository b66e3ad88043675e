// The entry `ranklet/mastra`: a relevance scorer for Mastra's `rerankWithScorer` and its vector query tool.
import type { Reranker } from "ranklet";

import { checkOptions } from "../util/check.js";
import { lazyReranker, type RerankerOptions, rerankerChecks } from "./lazy-reranker.js";

/** Mastra's `RelevanceScoreProvider`. */
export interface RelevanceScorer {
  /** Resolves with a score between 0 and 1, which Mastra adds to the score of the vector search. */
  getRelevanceScore(query: string, text: string): Promise<number>;
}

interface WaitingPair {
  readonly pair: readonly [query: string, text: string];
  readonly resolve: (score: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Creates a scorer. Mastra calls it once per result and does not wait in between: the pairs of all calls are scored at once.
 * @throws RankletError `input` for an unknown option, and for a loaded reranker with a model or options to load
 */
export function createScorer(options: RerankerOptions = {}): RelevanceScorer {
  const load = lazyReranker(checkOptions("createScorer", options, rerankerChecks));
  let waiting: WaitingPair[] = [];
  const flush = (): void => {
    const pairs = waiting;
    waiting = [];
    void scorePairs(load, pairs);
  };
  return {
    getRelevanceScore: (query, text) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) queueMicrotask(flush);
        waiting.push({ pair: [query, text], resolve, reject });
      }),
  };
}

/** Scores pairs in one call and settles each. */
async function scorePairs(load: () => Promise<Reranker>, waiting: readonly WaitingPair[]): Promise<void> {
  try {
    const reranker = await load();
    // A sigmoid, because Mastra's sum of scores expects values between 0 and 1.
    const scores = await reranker.score(
      waiting.map(({ pair }) => pair),
      { scores: "sigmoid" },
    );
    waiting.forEach(({ resolve }, index) => resolve(scores[index] as number));
  } catch (error) {
    for (const { reject } of waiting) reject(error);
  }
}
