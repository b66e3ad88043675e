import { raced, throwIfAborted, withController } from "../util/abort.js";
import { disposedError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { Batch, Call, Scorer, Work } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { WorkerScorer, type WorkerStart } from "./worker-scorer.js";
import { Dealing, type Crew } from "./scheduler.js";
import { Member } from "./pool-worker.js";
import { Placement } from "./document-shards.js";
import type { WorkerPort } from "./port.js";
import type { TextWork } from "./job-splitter.js";
import { Spares } from "./prestarted-workers.js";

/** How many workers, and whether loading waits for all of them. */
export interface Wanted {
  readonly workers: number;
  readonly all: boolean;
}

/**
 * A model in several workers, each with weights of its own; they share nothing. Texts are dealt out; the documents of a
 * collection are each held by one. Workers that are lost are replaced when there is work, and what they had is
 * scored again, so a call fails only where it costs workers repeatedly.
 */
export class WorkerPool implements Scorer, Crew {
  readonly info: ModelInfo;
  readonly #members: readonly Member[];
  /** Each ends without an error, when the worker runs or has failed. */
  readonly #starting = new Map<Member, Promise<void>>();
  readonly #dealings = new Set<Dealing>();
  readonly #collections = new Map<number, Placement>();
  #disposed = false;

  private constructor(scorers: readonly WorkerScorer[], info: ModelInfo) {
    this.#members = scorers.map((scorer) => new Member(scorer));
    this.info = inWorkers(info, scorers.length);
  }

  /**
   * @param first a worker that was just started
   * @throws RankletError as `WorkerScorer.load`, for the first worker or for any where all are waited for
   */
  static async load(first: WorkerPort, start: WorkerStart, { workers, all }: Wanted, signal: AbortSignal): Promise<WorkerPool> {
    if (all) {
      const scorers = await loadAll(first, start, workers, signal);
      return new WorkerPool(scorers, (scorers[0] as WorkerScorer).info);
    }
    const spares = Spares.start(start, workers - 1);
    const scorer = await spares.whileLoading(WorkerScorer.load(first, start, signal));
    return WorkerPool.around(scorer, start, { workers, all }, spares, signal);
  }

  /**
   * A pool of a worker that has the model and of others.
   * @param spares workers that were started ahead for it
   * @throws RankletError where all are waited for and one cannot be started
   */
  static async around(first: WorkerScorer, start: WorkerStart, { workers, all }: Wanted, spares: Spares, signal: AbortSignal): Promise<WorkerPool> {
    const later = Array.from({ length: workers - 1 }, () => new WorkerScorer(start, first.info, spares.take()));
    const pool = new WorkerPool([first, ...later], first.info);
    try {
      if (all) await raced(Promise.all(later.map((scorer) => scorer.start())), signal);
    } catch (error) {
      pool.dispose();
      throw error;
    }
    pool.#wake();
    return pool;
  }

  /** The members that were not found to be past starting. */
  get size(): number {
    return this.#members.filter(({ failed }) => !failed).length;
  }

  running(): readonly Member[] {
    this.#wake();
    return this.#members.filter(({ running }) => running).sort((a, b) => a.shares - b.shares);
  }

  async score(work: Work, call: Call): Promise<void> {
    if (this.#disposed) throw disposedError();
    await withController(call.signal, (stop) => {
      throwIfAborted(stop.signal);
      const own = { ...call, signal: stop.signal };
      return work.kind === "prepared" ? this.#scorePrepared(work, own) : this.#scoreTexts(work, own);
    });
  }

  async prepare(collection: number, batch: Batch): Promise<void> {
    if (this.#disposed) throw disposedError();
    const placement = this.#collections.get(collection) ?? (await this.#begin(collection));
    const { reading } = batch;
    const added = Array.from(placement.add(batch.documents), ([member, documents]) => member.prepare(collection, { documents, reading }));
    // All have to end before the collection can be forgotten.
    const failed = (await Promise.allSettled(added)).find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  forget(collection: number): void {
    for (const member of this.#collections.get(collection)?.members ?? []) member.forget(collection);
    this.#collections.delete(collection);
  }

  dispose(): void {
    this.#disposed = true;
    for (const dealing of this.#dealings) dealing.fail(disposedError());
    for (const member of this.#members) member.dispose();
    this.#collections.clear();
  }

  async #scoreTexts(work: TextWork, call: Call): Promise<void> {
    const dealing = new Dealing(this, work, this.info.maxLength, call);
    this.#dealings.add(dealing);
    try {
      dealing.deal();
      await raced(dealing.done, call.signal);
    } finally {
      dealing.end();
      this.#dealings.delete(dealing);
    }
  }

  async #scorePrepared(work: Extract<Work, { kind: "prepared" }>, call: Call): Promise<void> {
    const placement = this.#collections.get(work.collection);
    if (placement === undefined) throw disposedError("collection");
    await Promise.all(Array.from(placement.shares(work), ([member, share]) => member.scoreItself(share, call)));
  }

  /** Begins a collection. It waits for the workers that are being started, so that they have their part of it. */
  async #begin(collection: number): Promise<Placement> {
    this.#wake();
    await Promise.all(this.#starting.values());
    const running = this.#members.filter((member) => member.running);
    // Where none can be started, the first says why.
    const placement = new Placement(running.length > 0 ? running : this.#members.slice(0, 1));
    this.#collections.set(collection, placement);
    return placement;
  }

  /** Starts every worker that does not run and can: all, when none could be. They join the works under way. */
  #wake(): void {
    const hopeless = this.size === 0;
    for (const member of this.#members) {
      if (member.running || this.#starting.has(member) || (member.failed && !hopeless)) continue;
      this.#starting.set(member, this.#start(member));
    }
  }

  async #start(member: Member): Promise<void> {
    try {
      await member.start();
    } catch (error) {
      // Others do its work; without others, this is why there is no score.
      if (this.size === 0) for (const dealing of this.#dealings) dealing.fail(error);
    } finally {
      this.#starting.delete(member);
    }
    for (const dealing of this.#dealings) dealing.deal();
  }
}

/** Starts all at once; where one fails, the others end. */
async function loadAll(first: WorkerPort, start: WorkerStart, workers: number, signal: AbortSignal): Promise<WorkerScorer[]> {
  return withController(signal, async (stop) => {
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
