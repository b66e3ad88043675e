import type { Deadline } from "../scoring/deadline.js";
import { addTotals, miscounted, noTotals, scoreJobs, type Totals } from "../scoring/score.js";
import type { Job, Scorer } from "../scoring/scorer.js";
import type { ScoreProgress, Scores } from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import { scoredDocuments } from "./results.js";
import type { ScoredDocument } from "./scored-document.js";

/** How a call scores its pairs. */
export interface ScoreSettings {
  readonly scores?: Scores | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined;
}

/** The scores of a whole call, in the order of its pairs. */
interface CallScores {
  readonly scores: Float32Array;
  readonly spans: Uint32Array | undefined;
  readonly totals: Totals;
  /** The indices of the pairs that were not scored when the call had to end. */
  readonly unscored: readonly number[];
}

/** The pairs of a call. */
export interface CallPairs {
  readonly jobs: Iterable<Job>;
  /** The number of pairs of all jobs. */
  readonly total: number;
}

/** Scores pairs, or those that can be scored before the deadline. Returns their scores and spans in order, and the totals. */
export async function scoreCall(
  scorer: Scorer,
  { jobs, total }: CallPairs,
  settings: ScoreSettings,
  deadline: Deadline,
): Promise<CallScores> {
  throwIfAborted(settings.signal);
  const { numLabels } = scorer.info;
  const scores = new Float32Array(total * numLabels);
  const isScored = new Uint8Array(total);
  const totals = noTotals();
  let spans: Uint32Array | undefined;
  let done = 0;
  const scoring = scoreJobs(scorer, jobs, {
    scores: settings.scores ?? "model",
    signal: deadline.signal,
    maxStepMs: deadline.maxStepMs,
    onPartial: (partial) => {
      done += partial.indices.length;
      addTotals(totals, partial);
      const spansFit = partial.spans === undefined || partial.spans.length === 2 * partial.indices.length;
      if (done > total || partial.scores.length !== partial.indices.length * numLabels || !spansFit) throw miscounted(total);
      partial.indices.forEach((index, position) => {
        isScored[index] = 1;
        scores.set(partial.scores.subarray(position * numLabels, (position + 1) * numLabels), index * numLabels);
      });
      if (partial.spans !== undefined) {
        const all = (spans ??= new Uint32Array(2 * total));
        partial.indices.forEach((index, position) => all.set(partial.spans?.subarray(2 * position, 2 * position + 2) ?? [], 2 * index));
      }
      settings.onProgress?.({ stage: "score", done, total });
      deadline.check();
    },
  });
  let hasEnded = false;
  try {
    await scoring;
  } catch (error) {
    hasEnded = deadline.hasCaused(error);
    if (!hasEnded) throw error;
  }
  if (done < total && !hasEnded) throw miscounted(total);
  throwIfAborted(settings.signal);
  return { scores, spans, totals, unscored: Array.from(isScored.keys()).filter((index) => isScored[index] === 0) };
}

/** Returns the documents that were scored, in order. */
export function finished({ unscored, ...scores }: CallScores): ScoredDocument[] {
  const all = scoredDocuments(scores);
  if (unscored.length === 0) return all;
  const left = new Set(unscored);
  return all.filter(({ index }) => !left.has(index));
}
