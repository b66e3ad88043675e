import { renumbered } from "../errors.js";
import { miscounted } from "../scoring/score.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, JobOptions, PartialScores } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { type JobChunk, remainder } from "./job-splitter.js";
import type { WorkerScorer } from "./worker-scorer.js";

/** Number of workers that one chunk may cost. A chunk that costs more is probably the cause, and its error is thrown. */
const maxWorkerLosses = 2;

/** One worker of a pool. If it is lost, it is replaced. */
export class PoolWorker {
  readonly #scorer: WorkerScorer;
  #failed = false;
  #chunks = 0;

  constructor(scorer: WorkerScorer) {
    this.#scorer = scorer;
  }

  get info(): ModelInfo {
    return this.#scorer.info;
  }

  /** Whether it can compute now. */
  get running(): boolean {
    return this.#scorer.running;
  }

  /** Whether starting it failed. It is not retried, because it would compete with the others, e.g. for memory. */
  get failed(): boolean {
    return this.#failed && !this.running;
  }

  /** Number of chunks that it is scoring. */
  get chunks(): number {
    return this.#chunks;
  }

  /**
   * Starts the worker.
   * @throws RankletError as `WorkerScorer.start`
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
   * Scores a chunk.
   * @returns the rest of the chunk if the worker was lost, to be scored again
   * @throws RankletError as `Scorer.score`, with indices of the whole job; the loss of the worker if the chunk has cost
   *   too many
   */
  async score(chunk: JobChunk, options: JobOptions): Promise<JobChunk | undefined> {
    const { numLabels } = this.info;
    let done = 0;
    const onPartial = (partial: PartialScores): void => {
      const indices = chunk.indices.subarray(done, done + partial.scores.length / numLabels);
      if (indices.length * numLabels !== partial.scores.length) throw miscounted(chunk.indices.length);
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
    if (done !== chunk.indices.length) throw miscounted(chunk.indices.length);
    return undefined;
  }

  /** Scores a chunk of prepared documents, which only this worker holds; after a loss, on its replacement. */
  async scoreWithRetries(chunk: JobChunk, options: JobOptions): Promise<void> {
    for (let unfinished: JobChunk | undefined = chunk; unfinished !== undefined; ) unfinished = await this.score(unfinished, options);
  }

  /** Tokenizes documents; after a loss, on the replacement. */
  prepare(collection: number, input: DocumentBatch): Promise<void> {
    return this.#withRetries(() => this.#scorer.prepare(collection, input));
  }

  /** Plans the explanation of a pair; after a loss, on the replacement. */
  plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    return this.#withRetries(() => this.#scorer.plan(pair));
  }

  /** Finds the sentences of documents; after a loss, on the replacement. */
  sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]> {
    return this.#withRetries(() => this.#scorer.sentences(query, input));
  }

  release(collection: number): void {
    this.#scorer.release(collection);
  }

  dispose(): void {
    this.#scorer.dispose();
  }

  async #withRetries<T>(call: () => Promise<T>): Promise<T> {
    for (let losses = 1; ; losses++) {
      try {
        return await call();
      } catch (error) {
        if (this.running || losses === maxWorkerLosses) throw error;
      }
    }
  }
}
