import { RankletError, renumbered } from "../errors.js";
import type { CollectionInput, JobOptions, PartialScores } from "../scoring/scorer.js";
import type { WorkerScorer } from "./worker-scorer.js";
import { remainder, type JobChunk } from "./job-splitter.js";

/** How often a share is scored again elsewhere: one that costs two workers is what is wrong with them. */
const maxWorkerLosses = 2;

/** One worker of a pool, and its replacements. */
export class PoolWorker {
  readonly #scorer: WorkerScorer;
  #failed = false;
  #chunks = 0;

  constructor(scorer: WorkerScorer) {
    this.#scorer = scorer;
  }

  /** Whether it can compute at once. */
  get running(): boolean {
    return this.#scorer.running;
  }

  /** Whether it does not run and was not to be started: not tried again, for what it lacks, such as memory, others need. */
  get failed(): boolean {
    return this.#failed && !this.running;
  }

  /** How many shares it is scoring. */
  get chunks(): number {
    return this.#chunks;
  }

  /**
   * Starts its worker.
   * @throws RankletError what the worker met
   */
  async start(): Promise<void> {
    this.#failed = false;
    try {
      await this.#scorer.start();
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }

  /**
   * Scores a share.
   * @returns what is left of it when the worker was lost, to be scored again
   * @throws RankletError as `Scorer.score`, with places in the whole work; the loss of a worker when it is not the first
   */
  async score(chunk: JobChunk, options: JobOptions): Promise<JobChunk | undefined> {
    const { numLabels } = this.#scorer.info;
    let done = 0;
    const onPartial = (partial: PartialScores): void => {
      const indices = chunk.indices.subarray(done, done + partial.scores.length / numLabels);
      if (indices.length * numLabels !== partial.scores.length) throw miscounted(chunk);
      done += indices.length;
      options.onPartial(partial, indices);
    };
    this.#chunks++;
    try {
      await this.#scorer.score(chunk.job, { ...options, onPartial });
    } catch (error) {
      if (this.running || chunk.losses + 1 === maxWorkerLosses) throw renumbered(error, (index) => chunk.indices[index] ?? index);
      return done === chunk.indices.length ? undefined : remainder(chunk, done);
    } finally {
      this.#chunks--;
    }
    if (done !== chunk.indices.length) throw miscounted(chunk);
    return undefined;
  }

  /** Scores a share that no other member can: when its worker is lost, on the one that takes its place. */
  async scoreWithRetries(chunk: JobChunk, options: JobOptions): Promise<void> {
    for (let unfinished: JobChunk | undefined = chunk; unfinished !== undefined; ) unfinished = await this.score(unfinished, options);
  }

  /** Tokenises documents; when its worker is lost, on the one that takes its place. */
  async prepare(collection: number, input: CollectionInput): Promise<void> {
    for (let losses = 1; ; losses++) {
      try {
        return await this.#scorer.prepare(collection, input);
      } catch (error) {
        if (this.running || losses === maxWorkerLosses) throw error;
      }
    }
  }

  release(collection: number): void {
    this.#scorer.release(collection);
  }

  dispose(): void {
    this.#scorer.dispose();
  }
}

function miscounted({ indices }: JobChunk): RankletError {
  return new RankletError("internal", `the worker gave other than the scores of ${indices.length} pairs`);
}
