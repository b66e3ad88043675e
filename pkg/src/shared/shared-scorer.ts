import { disposedError } from "../errors.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, Scorer } from "../scoring/scorer.js";
import type { Backend, ModelInfo } from "../types.js";
import { abortable, abortWithError, throwIfAborted, withAbortController } from "../util/abort.js";

/** The numbers of an engine's collections, which are unique among all users of the engine. */
export interface CollectionNumbers {
  next: number;
}

/** One user's part of an engine that others use too. Disposing it ends the user's calls and collections, not the engine. */
export class SharedScorer implements Scorer {
  readonly #engine: Scorer;
  readonly #numbers: CollectionNumbers;
  readonly #users: NonNullable<Backend["shared"]>;
  readonly #onDispose: () => void;
  /** The engine's numbers of the user's collections. */
  readonly #collections = new Map<number, number>();
  /** The controllers of running jobs, which `dispose` aborts. */
  readonly #running = new Set<AbortController>();
  /** Aborted by `dispose`. */
  readonly #lifetime = new AbortController();
  #backend: { readonly of: Backend; readonly shared: Backend } | undefined;

  /**
   * @param users who else may use the engine
   * @param onDispose called once, when the user no longer needs the engine
   */
  constructor(engine: Scorer, numbers: CollectionNumbers, users: NonNullable<Backend["shared"]>, onDispose: () => void) {
    this.#engine = engine;
    this.#numbers = numbers;
    this.#users = users;
    this.#onDispose = onDispose;
  }

  get info(): ModelInfo {
    const { info } = this.#engine;
    const { backend } = info;
    if (this.#backend?.of !== backend) this.#backend = { of: backend, shared: Object.freeze({ shared: this.#users, ...backend }) };
    return Object.freeze({ ...info, backend: this.#backend.shared });
  }

  async score(job: Job, options: JobOptions): Promise<void> {
    await withAbortController(options.signal, async (controller) => {
      this.#running.add(controller);
      try {
        throwIfAborted(this.#lifetime.signal);
        throwIfAborted(controller.signal);
        await this.#engine.score(this.#ofEngine(job), { ...options, signal: controller.signal });
      } finally {
        this.#running.delete(controller);
      }
    });
  }

  async plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    throwIfAborted(this.#lifetime.signal);
    return abortable(this.#engine.plan(pair), this.#lifetime.signal);
  }

  async sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]> {
    throwIfAborted(this.#lifetime.signal);
    return abortable(this.#engine.sentences(query, input), this.#lifetime.signal);
  }

  async prepare(collection: number, input: DocumentBatch): Promise<void> {
    throwIfAborted(this.#lifetime.signal);
    const number = this.#collections.get(collection) ?? this.#numbers.next++;
    this.#collections.set(collection, number);
    try {
      await this.#engine.prepare(number, input);
    } finally {
      // The engine may have released the collection before it began to prepare the documents, which creates it again.
      if (this.#lifetime.signal.aborted) this.#engine.release(number);
    }
    throwIfAborted(this.#lifetime.signal);
  }

  release(collection: number): void {
    const number = this.#collections.get(collection);
    this.#collections.delete(collection);
    if (number !== undefined) this.#engine.release(number);
  }

  dispose(): void {
    if (this.#lifetime.signal.aborted) return;
    const disposed = disposedError();
    for (const controller of [this.#lifetime, ...this.#running]) abortWithError(controller, disposed);
    for (const collection of [...this.#collections.keys()]) this.release(collection);
    this.#onDispose();
  }

  #ofEngine(job: Job): Job {
    if (job.kind !== "prepared") return job;
    const collection = this.#collections.get(job.collection);
    if (collection === undefined) throw disposedError("collection");
    return { ...job, collection };
  }
}
