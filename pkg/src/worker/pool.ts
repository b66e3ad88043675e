import { inWorkers } from "../engine/info.js";
import { disposedError } from "../errors.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, PreparedJob, Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { abortable, throwIfAborted, withAbortController } from "../util/abort.js";
import { DocumentShards } from "./document-shards.js";
import type { SplitJob } from "./job-splitter.js";
import { PoolWorker } from "./pool-worker.js";
import type { WorkerPort } from "./port.js";
import { PrestartedWorkers } from "./prestarted-workers.js";
import { JobScheduler, type Workers } from "./scheduler.js";
import { WorkerScorer } from "./worker-scorer.js";
import { type WorkerStart, WorkerStarter } from "./worker-starter.js";

/** Upper bound of a given number of workers. Each is a thread, so a mistaken number could exhaust the machine. */
export const maxWorkers = 64;

/** The number of workers, and whether loading waits for all of them. */
export interface PoolSize {
  readonly workers: number;
  readonly waitForAll: boolean;
}

/**
 * A model in several workers, which share nothing: each has its own copy of the weights. Jobs with texts are split into
 * chunks and scheduled; each document of a collection is held by one worker. A lost worker is replaced when there is a job,
 * and its chunk is scored again. A call fails only if it costs several workers.
 */
export class WorkerPool implements Scorer, Workers {
  readonly #info: ModelInfo;
  readonly #workers: readonly PoolWorker[];
  /** Workers that are being started. Each promise resolves when its worker runs or has failed. */
  readonly #starting = new Map<PoolWorker, Promise<void>>();
  readonly #schedulers = new Set<JobScheduler>();
  readonly #collections = new Map<number, DocumentShards>();
  #disposed = false;

  private constructor(scorers: readonly WorkerScorer[], info: ModelInfo) {
    this.#workers = scorers.map((scorer) => new PoolWorker(scorer));
    this.#info = inWorkers(info, scorers.length);
  }

  /** Changes if the only worker has a GPU that fails. */
  get info(): ModelInfo {
    const [only, another] = this.#workers;
    return only !== undefined && another === undefined ? only.info : this.#info;
  }

  /**
   * Loads a model into a pool.
   * @param first a worker that was just started
   * @throws RankletError as `WorkerScorer.load`: for any worker if all are waited for, otherwise for the first
   */
  static async load(first: WorkerPort, start: WorkerStart, { workers, waitForAll }: PoolSize, signal: AbortSignal): Promise<WorkerPool> {
    if (waitForAll) {
      const scorers = await startAll(first, start, workers, signal);
      return new WorkerPool(scorers, (scorers[0] as WorkerScorer).info);
    }
    const prestarted = PrestartedWorkers.start(first, start, workers - 1);
    const scorer = await prestarted.whileLoading(WorkerScorer.load(first, start, signal));
    return WorkerPool.withFirst(scorer, prestarted, { workers, waitForAll }, signal);
  }

  /**
   * Creates a pool around a worker that has the model already.
   * @param prestarted the other workers, as far as they have been started
   * @throws RankletError if all are waited for and one cannot be started
   */
  static async withFirst(
    first: WorkerScorer,
    prestarted: PrestartedWorkers,
    { workers, waitForAll }: PoolSize,
    signal: AbortSignal,
  ): Promise<WorkerPool> {
    const later = Array.from(
      { length: workers - 1 },
      () => new WorkerScorer(new WorkerStarter(prestarted.inputs, prestarted.take()), first.info),
    );
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

  /** Number of workers that run or can be started. */
  get size(): number {
    return this.#workers.filter(({ failed }) => !failed).length;
  }

  running(): readonly PoolWorker[] {
    this.#startMissing();
    return this.#workers.filter(({ running }) => running).sort((a, b) => a.chunks - b.chunks);
  }

  async score(job: Job, options: JobOptions): Promise<void> {
    if (this.#disposed) throw disposedError();
    await withAbortController(options.signal, (controller) => {
      throwIfAborted(controller.signal);
      const own = { ...options, signal: controller.signal };
      return job.kind === "prepared" ? this.#scorePrepared(job, own) : this.#scoreSplit(job, own);
    });
  }

  async plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    return this.#anyWorker().plan(pair);
  }

  async sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]> {
    return this.#anyWorker().sentences(query, input);
  }

  async prepare(collection: number, input: DocumentBatch): Promise<void> {
    if (this.#disposed) throw disposedError();
    const shards = this.#collections.get(collection) ?? (await this.#createShards(collection));
    const { limits } = input;
    const added = Array.from(shards.add(input.documents), ([worker, documents]) => worker.prepare(collection, { documents, limits }));
    // Waits for all, because the caller may release the collection after an error.
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

  /** Returns the least busy worker; if none runs, one that can be started. */
  #anyWorker(): PoolWorker {
    if (this.#disposed) throw disposedError();
    return this.running()[0] ?? (this.#workers.find(({ failed }) => !failed) as PoolWorker);
  }

  async #scoreSplit(job: SplitJob, options: JobOptions): Promise<void> {
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

  async #scorePrepared(job: PreparedJob, options: JobOptions): Promise<void> {
    const shards = this.#collections.get(job.collection);
    if (shards === undefined) throw disposedError("collection");
    await Promise.all(Array.from(shards.chunks(job), ([worker, chunk]) => worker.scoreWithRetries(chunk, options)));
  }

  /** Creates a collection's shards. Waits for workers that are being started, so that they get one as well. */
  async #createShards(collection: number): Promise<DocumentShards> {
    this.#startMissing();
    await Promise.all(this.#starting.values());
    const running = this.#workers.filter((worker) => worker.running);
    // If none could be started, preparing on the first one throws the reason.
    const shards = new DocumentShards(running.length > 0 ? running : this.#workers.slice(0, 1));
    this.#collections.set(collection, shards);
    return shards;
  }

  /** Starts the workers that do not run; failed ones too if all have failed. They join the running jobs. */
  #startMissing(): void {
    const allFailed = this.size === 0;
    for (const worker of this.#workers) {
      if (worker.running || this.#starting.has(worker) || (worker.failed && !allFailed)) continue;
      this.#starting.set(worker, this.#start(worker));
    }
  }

  async #start(worker: PoolWorker): Promise<void> {
    try {
      await worker.start();
    } catch (error) {
      // If other workers remain, they score its chunks.
      if (this.size === 0) for (const scheduler of this.#schedulers) scheduler.fail(error);
    } finally {
      this.#starting.delete(worker);
    }
    for (const scheduler of this.#schedulers) scheduler.dispatch();
  }
}

/** Loads the model into all workers at once. If one fails, the others end. */
async function startAll(first: WorkerPort, start: WorkerStart, workers: number, signal: AbortSignal): Promise<WorkerScorer[]> {
  return withAbortController(signal, async (controller) => {
    const load = async (index: number): Promise<WorkerScorer> =>
      WorkerScorer.load(index === 0 ? first : start.startWorker(), start, controller.signal);
    const loading = Array.from({ length: workers }, (_, index) => load(index));
    try {
      return await Promise.all(loading);
    } catch (error) {
      for (const scorer of loading) {
        // The errors of the others follow from the first.
        scorer.then(
          (loaded) => loaded.dispose(),
          () => {},
        );
      }
      throw error;
    }
  });
}
