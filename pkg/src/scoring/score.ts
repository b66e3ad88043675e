import { linkAbort, throwIfAborted } from "../util/abort.js";
import { AsyncQueue } from "../util/async-queue.js";
import { renumbered } from "../errors.js";
import type { JobOptions, PartialScores, Scorer, Job } from "./scorer.js";

/** What a call adds up to. */
export interface Totals {
  tokens: number;
  engineMs: number;
}

/** A micro-batch, scored; `indices` says which pairs of the call it is of. */
export interface IndexedScores extends PartialScores {
  readonly indices: Uint32Array;
}

/** How to score, and who hears of it. */
interface IndexedJobOptions extends Omit<JobOptions, "onPartial"> {
  readonly onPartial: (partial: IndexedScores) => void;
}

/** Scores `jobs` one after the other; each part is told as it comes. */
export async function scoreJobs(scorer: Scorer, jobs: Iterable<Job>, options: IndexedJobOptions): Promise<Totals> {
  const totals: Totals = { tokens: 0, engineMs: 0 };
  const onPartial = (partial: IndexedScores): void => {
    totals.tokens += partial.tokens;
    totals.engineMs += partial.engineMs;
    options.onPartial(partial);
  };
  let first = 0;
  for (const job of jobs) first += await scoreJob(scorer, job, first, { ...options, onPartial });
  return totals;
}

/**
 * Scores a work and gives its parts as they come, all that have come since the last time at once. Nothing runs before
 * the first is asked for, and a reader that leaves ends the work.
 * @param first the place of the work's first pair in the call
 */
export async function* streamJob(
  scorer: Scorer,
  job: Job,
  first: number,
  { scores, signal }: Omit<JobOptions, "onPartial">,
): AsyncGenerator<IndexedScores[], void> {
  const partials = new AsyncQueue<IndexedScores>();
  const controller = new AbortController();
  const unlink = linkAbort(controller, signal);
  scoreJob(scorer, job, first, { scores, signal: controller.signal, onPartial: (partial) => partials.push(partial) }).then(
    () => partials.end(),
    (error: unknown) => partials.end({ error }),
  );
  try {
    for await (const ready of partials) {
      // A slow reader gets nothing that was held for it when the call is over.
      throwIfAborted(controller.signal);
      yield ready;
    }
    throwIfAborted(controller.signal);
  } finally {
    unlink();
    controller.abort();
  }
}

/** Scores a work whose first pair is the call's pair `first`; gives the number of pairs scored. */
async function scoreJob(scorer: Scorer, job: Job, first: number, options: IndexedJobOptions): Promise<number> {
  let done = 0;
  const onPartial = (partial: PartialScores, indices?: Uint32Array): void => {
    const pairs = indices?.length ?? partial.scores.length / scorer.info.numLabels;
    options.onPartial({ ...partial, indices: Uint32Array.from({ length: pairs }, (_, at) => first + (indices?.[at] ?? done + at)) });
    done += pairs;
  };
  try {
    await scorer.score(job, { ...options, onPartial });
  } catch (error) {
    throw renumbered(error, (pair) => first + pair);
  }
  return done;
}
