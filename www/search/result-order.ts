import type { FirstStageResult } from "./first-stage.js";

/** A place in Ranklet's order; without a score while the passage waits for one. */
export interface RankedEntry {
  readonly index: number;
  readonly score: number | undefined;
}

/** Both orders of one query. */
export interface ResultOrders {
  readonly firstStage: FirstStageResult;
  readonly entries: readonly RankedEntry[];
}

/** The order in which candidates wait: as they stood before, so that the list moves as little as it can; new ones last. */
export function pendingEntries({ candidates }: FirstStageResult, previous: readonly RankedEntry[]): RankedEntry[] {
  const wanted = new Set(candidates);
  const stillCandidates = previous.map(({ index }) => index).filter((index) => wanted.has(index));
  return [...new Set([...stillCandidates, ...candidates])].map((index) => ({ index, score: undefined }));
}

/** Those with a score, best first, before those that wait. */
export function mergeScored(scored: readonly { readonly index: number; readonly score: number }[], pending: readonly RankedEntry[]): RankedEntry[] {
  const scoredIndices = new Set(scored.map(({ index }) => index));
  return [...scored, ...pending.filter(({ index }) => !scoredIndices.has(index))];
}
