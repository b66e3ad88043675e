import type { JobOptions } from "../scoring/scorer.js";
import type { PoolWorker } from "./pool-worker.js";
import { JobSplitter, type JobChunk, type TextJob } from "./job-splitter.js";

/** The workers that a work is dealt to. */
export interface Workers {
  /** Those that can compute at once, the least busy first; starts the others, which are told of by `JobScheduler.dispatch`. */
  running(): readonly PoolWorker[];
  /** How many take part, or soon will. */
  readonly size: number;
}

/** One work, dealt out share by share to whichever worker is free: a slow one gets fewer. */
export class JobScheduler {
  readonly #workers: Workers;
  readonly #options: JobOptions;
  readonly #splitter: JobSplitter;
  /** What lost workers have left. */
  readonly #requeued: JobChunk[] = [];
  readonly #busy = new Set<PoolWorker>();
  #ended = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  /** Resolves when all is scored; rejects with the first error, after which nothing more is dealt. */
  readonly done = new Promise<void>((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));

  /** @param maxLength the most tokens of a pair */
  constructor(workers: Workers, job: TextJob, maxLength: number, options: JobOptions) {
    this.#workers = workers;
    this.#options = options;
    this.#splitter = new JobSplitter(job, maxLength);
  }

  /** Gives a share to each worker that has none: to begin with, and whenever one becomes free or is ready. */
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

  /** Deals no more. */
  end(): void {
    this.#ended = true;
  }

  /** Ends it with an error. */
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
