import type { JobOptions } from "../scoring/scorer.js";
import { type JobChunk, JobSplitter, type SplitJob } from "./job-splitter.js";
import type { PoolWorker } from "./pool-worker.js";

/** The workers that chunks are assigned to. */
export interface Workers {
  /** Returns the workers that can compute now, the least busy first. Starts the others, which trigger `JobScheduler.dispatch` later. */
  running(): readonly PoolWorker[];
  /** Number of workers that run or are being started. */
  readonly size: number;
}

/** Scores one job: assigns its chunks to workers as they become free, so that a slow worker gets fewer. */
export class JobScheduler {
  readonly #workers: Workers;
  readonly #options: JobOptions;
  readonly #splitter: JobSplitter;
  /** Chunks of lost workers, to be assigned again. */
  readonly #requeued: JobChunk[] = [];
  readonly #busy = new Set<PoolWorker>();
  #ended = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  /** Resolves when all chunks are scored. Rejects with the first error, after which no chunk is assigned. */
  readonly done = new Promise<void>((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));

  /** @param maxLength max tokens of a pair */
  constructor(workers: Workers, job: SplitJob, maxLength: number, options: JobOptions) {
    this.#workers = workers;
    this.#options = options;
    this.#splitter = new JobSplitter(job, maxLength, options.maxStepMs !== undefined);
  }

  /** Assigns a chunk to each free worker. Called at the start, and whenever a worker becomes free or has started. */
  dispatch(): void {
    if (this.#ended) return;
    for (const worker of this.#workers.running()) {
      if (this.#busy.has(worker)) continue;
      const chunk = this.#requeued.pop() ?? this.#splitter.next(this.#workers.size);
      if (chunk === undefined) break;
      void this.#assign(worker, chunk);
    }
    if (this.#busy.size > 0 || this.#requeued.length > 0 || !this.#splitter.done) return;
    this.end();
    this.#resolve();
  }

  /** Stops assigning chunks. */
  end(): void {
    this.#ended = true;
  }

  /** Ends the job with an error. */
  fail(error: unknown): void {
    this.end();
    this.#reject(error);
  }

  async #assign(worker: PoolWorker, chunk: JobChunk): Promise<void> {
    this.#busy.add(worker);
    try {
      const unfinished = await worker.score(chunk, this.#options);
      if (unfinished !== undefined) this.#requeued.push(unfinished);
    } catch (error) {
      this.fail(error);
    } finally {
      this.#busy.delete(worker);
    }
    this.dispatch();
  }
}
