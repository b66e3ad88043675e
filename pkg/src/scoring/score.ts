import { RankletError, renumbered } from "../errors.js";
import { linkAbort, throwIfAborted } from "../util/abort.js";
import { AsyncQueue } from "../util/async-queue.js";
import { expectSameDevice } from "./fallback.js";
import type { Job, JobOptions, PartialScores, Scorer } from "./scorer.js";

/** Sums over a call. */
export interface Totals {
  tokens: number;
  engineMs: number;
  cacheHits: number;
}

export function noTotals(): Totals {
  return { tokens: 0, engineMs: 0, cacheHits: 0 };
}

/** Adds the numbers of one micro-batch. */
export function addTotals(totals: Totals, { tokens, engineMs, cacheHits = 0 }: PartialScores): void {
  totals.tokens += tokens;
  totals.engineMs += engineMs;
  totals.cacheHits += cacheHits;
}

/** The scores of one micro-batch, with the index in the call of each pair. */
export interface IndexedScores extends PartialScores {
  readonly indices: Uint32Array;
}

/** Creates the error for an engine that does not return one score, or one of each label, for each of `count` pairs. */
export function miscounted(count: number): RankletError {
  return new RankletError("internal", `the engine returned a wrong number of scores for ${count} pairs`);
}

/** How to score, and the receiver of the scores. */
interface IndexedJobOptions extends Omit<JobOptions, "onPartial"> {
  readonly onPartial: (partial: IndexedScores) => void;
}

/** Scores jobs one after the other, and passes on the scores of each micro-batch. */
export async function scoreJobs(scorer: Scorer, jobs: Iterable<Job>, options: IndexedJobOptions): Promise<void> {
  const { device } = scorer.info.backend;
  let first = 0;
  for (const job of jobs) {
    expectSameDevice(scorer, device);
    first += await scoreJob(scorer, job, first, options);
  }
}

/**
 * Scores a job and yields the scores of its micro-batches, each time all that are ready. The job starts when the first is
 * requested, and ends when the reader leaves.
 * @param first index in the call of the job's first pair
 */
export async function* streamJob(
  scorer: Scorer,
  job: Job,
  first: number,
  { scores, signal, maxStepMs }: Omit<JobOptions, "onPartial">,
): AsyncGenerator<IndexedScores[], void> {
  const partials = new AsyncQueue<IndexedScores>();
  const controller = new AbortController();
  const unlink = linkAbort(controller, signal);
  scoreJob(scorer, job, first, { scores, maxStepMs, signal: controller.signal, onPartial: (partial) => partials.push(partial) }).then(
    () => partials.end(),
    (error: unknown) => partials.end({ error }),
  );
  try {
    for await (const ready of partials) {
      // After an abort, a slow reader does not get the scores that are still queued.
      throwIfAborted(controller.signal);
      yield ready;
    }
    throwIfAborted(controller.signal);
  } finally {
    unlink();
    controller.abort();
  }
}

/** Scores a job whose first pair has index `first` in the call. Returns the number of pairs. */
async function scoreJob(scorer: Scorer, job: Job, first: number, options: IndexedJobOptions): Promise<number> {
  let done = 0;
  const onPartial = (partial: PartialScores, indices?: Uint32Array): void => {
    const pairs = indices?.length ?? partial.scores.length / scorer.info.numLabels;
    options.onPartial({
      ...partial,
      indices: Uint32Array.from({ length: pairs }, (_, position) => first + (indices?.[position] ?? done + position)),
    });
    done += pairs;
  };
  try {
    await scorer.score(job, { ...options, onPartial });
  } catch (error) {
    throw renumbered(error, (pair) => first + pair);
  }
  return done;
}
