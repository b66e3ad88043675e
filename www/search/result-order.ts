import type { FirstStageResult } from "./first-stage.js";

/** A passage in Ranklet's order; its score is `undefined` until it is computed. */
export interface RankedEntry {
  readonly index: number;
  readonly score: number | undefined;
}

/** The keyword results and Ranklet's order for one query. */
export interface ResultOrders {
  readonly firstStage: FirstStageResult;
  readonly entries: readonly RankedEntry[];
}

/** Returns the candidates without scores, in their previous order so that few rows move; new ones come last. */
export function pendingEntries({ candidates }: FirstStageResult, previous: readonly RankedEntry[]): RankedEntry[] {
  const wanted = new Set(candidates);
  const stillCandidates = previous.map(({ index }) => index).filter((index) => wanted.has(index));
  return [...new Set([...stillCandidates, ...candidates])].map((index) => ({ index, score: undefined }));
}

/** Returns the scored passages, best first, followed by the pending ones. */
export function mergeScored(
  scored: readonly { readonly index: number; readonly score: number }[],
  pending: readonly RankedEntry[],
): RankedEntry[] {
  const scoredIndices = new Set(scored.map(({ index }) => index));
  return [...scored, ...pending.filter(({ index }) => !scoredIndices.has(index))];
}
