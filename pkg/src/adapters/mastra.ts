// The entry `ranklet/mastra`: a relevance scorer for Mastra's `rerankWithScorer` and its vector query tool.
import { RankletError, type Reranker } from "ranklet";

import { checkOptions } from "../util/check.js";
import { lazyReranker, type ModelChoice, modelChecks } from "./lazy-reranker.js";

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
 * A call rejects with `input` for a model with several labels.
 * @throws RankletError `input` for an unknown option, and for a loaded reranker with a model or options to load
 */
export function createScorer(options: ModelChoice = {}): RelevanceScorer {
  const load = lazyReranker(checkOptions("createScorer", options, modelChecks));
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
    const { numLabels } = reranker.info;
    if (numLabels !== 1) throw new RankletError("input", `createScorer needs a model with one label, and this one has ${numLabels}`);
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
