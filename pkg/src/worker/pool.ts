import { abortable, throwIfAborted, withAbortController } from "../util/abort.js";
import { disposedError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { CollectionInput, JobOptions, Scorer, Job } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { WorkerScorer, type WorkerStart } from "./worker-scorer.js";
import { JobScheduler, type Workers } from "./scheduler.js";
import { PoolWorker } from "./pool-worker.js";
import { DocumentShards } from "./document-shards.js";
import type { WorkerPort } from "./port.js";
import type { TextJob } from "./job-splitter.js";
import { PrestartedWorkers } from "./prestarted-workers.js";

/** How many workers, and whether loading waits for all of them. */
export interface PoolSize {
  readonly workers: number;
  readonly waitForAll: boolean;
}

/**
 * A model in several workers, each with weights of its own; they share nothing. Texts are dealt out; the documents of a
 * collection are each held by one. Workers that are lost are replaced when there is work, and what they had is
 * scored again, so a call fails only where it costs workers repeatedly.
 */
export class WorkerPool implements Scorer, Workers {
  readonly info: ModelInfo;
  readonly #workers: readonly PoolWorker[];
  /** Each ends without an error, when the worker runs or has failed. */
  readonly #starting = new Map<PoolWorker, Promise<void>>();
  readonly #schedulers = new Set<JobScheduler>();
  readonly #collections = new Map<number, DocumentShards>();
  #disposed = false;

  private constructor(scorers: readonly WorkerScorer[], info: ModelInfo) {
    this.#workers = scorers.map((scorer) => new PoolWorker(scorer));
    this.info = inWorkers(info, scorers.length);
  }

  /**
   * @param first a worker that was just started
   * @throws RankletError as `WorkerScorer.load`, for the first worker or for any where all are waited for
   */
  static async load(first: WorkerPort, start: WorkerStart, { workers, waitForAll }: PoolSize, signal: AbortSignal): Promise<WorkerPool> {
    if (waitForAll) {
      const scorers = await startAll(first, start, workers, signal);
      return new WorkerPool(scorers, (scorers[0] as WorkerScorer).info);
    }
    const prestarted = PrestartedWorkers.start(start, workers - 1);
    const scorer = await prestarted.whileLoading(WorkerScorer.load(first, start, signal));
    return WorkerPool.withFirst(scorer, start, { workers, waitForAll }, prestarted, signal);
  }

  /**
   * A pool of a worker that has the model and of others.
   * @param prestarted workers that were started ahead for it
   * @throws RankletError where all are waited for and one cannot be started
   */
  static async withFirst(first: WorkerScorer, start: WorkerStart, { workers, waitForAll }: PoolSize, prestarted: PrestartedWorkers, signal: AbortSignal): Promise<WorkerPool> {
    const later = Array.from({ length: workers - 1 }, () => new WorkerScorer(start, first.info, prestarted.take()));
    const pool = new WorkerPool([first, ...later], first.info);
    try {
      if (waitForAll) await abortable(Promise.all(later.map((scorer) => scorer.start())), signal);
    } catch (error) {
      pool.dispose();
      throw error;
    }
    pool.#startMissing();
    return pool;
  }

  /** The members that were not found to be past starting. */
  get size(): number {
    return this.#workers.filter(({ failed }) => !failed).length;
  }

  running(): readonly PoolWorker[] {
    this.#startMissing();
    return this.#workers.filter(({ running }) => running).sort((a, b) => a.chunks - b.chunks);
  }

  async score(job: Job, options: JobOptions): Promise<void> {
    if (this.#disposed) throw disposedError();
    await withAbortController(options.signal, (stop) => {
      throwIfAborted(stop.signal);
      const own = { ...options, signal: stop.signal };
      return job.kind === "prepared" ? this.#scorePrepared(job, own) : this.#scoreTexts(job, own);
    });
  }

  async prepare(collection: number, input: CollectionInput): Promise<void> {
    if (this.#disposed) throw disposedError();
    const shards = this.#collections.get(collection) ?? (await this.#begin(collection));
    const { limits } = input;
    const added = Array.from(shards.add(input.documents), ([worker, documents]) => worker.prepare(collection, { documents, limits }));
    // All have to end before the collection can be forgotten.
    const failed = (await Promise.allSettled(added)).find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  release(collection: number): void {
    for (const worker of this.#collections.get(collection)?.workers ?? []) worker.release(collection);
    this.#collections.delete(collection);
  }

  dispose(): void {
    this.#disposed = true;
    for (const scheduler of this.#schedulers) scheduler.fail(disposedError());
    for (const worker of this.#workers) worker.dispose();
    this.#collections.clear();
  }

  async #scoreTexts(job: TextJob, options: JobOptions): Promise<void> {
    const scheduler = new JobScheduler(this, job, this.info.maxLength, options);
    this.#schedulers.add(scheduler);
    try {
      scheduler.dispatch();
      await abortable(scheduler.done, options.signal);
    } finally {
      scheduler.end();
      this.#schedulers.delete(scheduler);
    }
  }

  async #scorePrepared(job: Extract<Job, { kind: "prepared" }>, options: JobOptions): Promise<void> {
    const shards = this.#collections.get(job.collection);
    if (shards === undefined) throw disposedError("collection");
    await Promise.all(Array.from(shards.chunks(job), ([worker, chunk]) => worker.scoreWithRetries(chunk, options)));
  }

  /** Begins a collection. It waits for the workers that are being started, so that they have their part of it. */
  async #begin(collection: number): Promise<DocumentShards> {
    this.#startMissing();
    await Promise.all(this.#starting.values());
    const running = this.#workers.filter((worker) => worker.running);
    // Where none can be started, the first says why.
    const shards = new DocumentShards(running.length > 0 ? running : this.#workers.slice(0, 1));
    this.#collections.set(collection, shards);
    return shards;
  }

  /** Starts every worker that does not run and can: all, when none could be. They join the works under way. */
  #startMissing(): void {
    const hopeless = this.size === 0;
    for (const worker of this.#workers) {
      if (worker.running || this.#starting.has(worker) || (worker.failed && !hopeless)) continue;
      this.#starting.set(worker, this.#start(worker));
    }
  }

  async #start(worker: PoolWorker): Promise<void> {
    try {
      await worker.start();
    } catch (error) {
      // Others do its work; without others, this is why there is no score.
      if (this.size === 0) for (const scheduler of this.#schedulers) scheduler.fail(error);
    } finally {
      this.#starting.delete(worker);
    }
    for (const scheduler of this.#schedulers) scheduler.dispatch();
  }
}

/** Starts all at once; where one fails, the others end. */
async function startAll(first: WorkerPort, start: WorkerStart, workers: number, signal: AbortSignal): Promise<WorkerScorer[]> {
  return withAbortController(signal, async (stop) => {
    const load = async (at: number): Promise<WorkerScorer> => WorkerScorer.load(at === 0 ? first : start.startWorker(), start, stop.signal);
    const loading = Array.from({ length: workers }, (_, at) => load(at));
    try {
      return await Promise.all(loading);
    } catch (error) {
      for (const scorer of loading) scorer.then((loaded) => loaded.dispose(), () => {}); // The others' errors say no more.
      throw error;
    }
  });
}
