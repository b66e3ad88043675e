import { ModelFiles, type WasmCollection, WasmLoader, type WasmReranker, type WasmScoring } from "../wasm/ranklet.js";

import { disposedError, fromEngine, isDeviceLost, messageOf, RankletError } from "../errors.js";
import { isWeightsName } from "../model/model-files.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import { parseInfo, withWarnings } from "./info.js";
import { rejectOnTrap } from "./reject-on-trap.js";
import { engineDamage, markDamaged } from "./start.js";
import { StepBudget } from "./step-budget.js";
import { VariantsCache } from "./variants-cache.js";

/** The settings that `WasmLoader` reads as JSON, and `reason`. */
export interface EngineSettings {
  readonly device: string;
  readonly dtype: string;
  /** The file that the caller chose as the weights. */
  readonly weights?: string;
  readonly max_length?: number;
  readonly max_memory_bytes?: number;
  /** For "auto": the number of engines that would compute on the CPU. */
  readonly cpu_workers?: number;
  /** Why the device was chosen, if the engine cannot know. */
  readonly reason?: string;
}

/** The thread that an engine computes on. */
export interface EngineThread {
  /** Resolves in a later task, after the events that are queued now. */
  readonly nextTask: () => Promise<void>;
  /** The time in milliseconds that a micro-batch may take, unless it has one pair only. Default: that of the engine's own size. */
  readonly maxStepMs?: number;
  /** Warnings of loading that `info` has in addition to the engine's own. */
  readonly warnings?: readonly string[];
}

/** The content of a model's file. */
export type FileData = Blob | ArrayBuffer | SharedArrayBuffer;

/** One loaded model in this thread's WebAssembly. Concurrent jobs take turns after each micro-batch. */
export class Engine implements Scorer {
  readonly #model: WasmReranker;
  readonly #nextTask: () => Promise<void>;
  readonly #budget: StepBudget | undefined;
  readonly #collections = new Map<number, WasmCollection>();
  readonly #variants: VariantsCache;
  #info: ModelInfo;
  #runningJobs = 0;
  #disposed = false;

  private constructor(model: WasmReranker, { nextTask, maxStepMs, warnings = [] }: EngineThread, reason?: string) {
    this.#model = model;
    this.#variants = new VariantsCache(model);
    this.#nextTask = nextTask;
    this.#budget = maxStepMs === undefined ? undefined : new StepBudget(maxStepMs);
    this.#info = withWarnings(parseInfo(model.info(), reason), warnings);
  }

  /** Changes if a GPU fails and the CPU takes over. */
  get info(): ModelInfo {
    return this.#info;
  }

  /**
   * Loads a model.
   * @throws RankletError with the engine's code if it refuses the files or settings; `input` for a file that cannot be read
   */
  static async load(files: ReadonlyMap<string, FileData>, settings: EngineSettings, thread: EngineThread): Promise<Engine> {
    const smallFiles = new ModelFiles();
    const weights: [string, FileData][] = [];
    for (const [name, data] of files) {
      if (name === settings.weights ? !name.endsWith(".json") : isWeightsName(name)) weights.push([name, data]);
      else smallFiles.set(name, await bytesOf(name, data));
    }
    const bytes = weights.reduce((sum, [, data]) => sum + sizeOf(data), 0);
    // Without weights, their names are all that the engine needs to tell which are missing.
    if (bytes === 0) for (const [name] of weights) smallFiles.set(name, new Uint8Array());
    const { reason, ...engineSettings } = settings;
    const loader = callEngine(() => new WasmLoader(smallFiles, BigInt(bytes), JSON.stringify(engineSettings)));
    try {
      for (const [name, data] of weights) await pushFile(loader, name, data);
    } catch (error) {
      freeQuietly(loader);
      throw error;
    }
    const model = settings.device === "cpu" ? callEngine(() => loader.finish()) : await callEngineAsync(() => loader.finish_async());
    return callEngine(() => new Engine(model, thread, reason));
  }

  /** Lets other tasks run before each micro-batch: an abort, an input event, or another job's turn. */
  async score(job: Job, options: JobOptions): Promise<void> {
    this.#check(options.signal);
    this.#runningJobs++;
    try {
      const started = performance.now();
      const scoring = callEngine(() => this.#begin(job, options));
      try {
        await this.#finish(scoring, options, performance.now() - started);
      } finally {
        freeQuietly(scoring);
      }
    } finally {
      this.#runningJobs--;
      this.#freeWhenIdle();
    }
  }

  async plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    await this.#turn();
    return callEngine(() => {
      const variants = this.#variants.of(pair);
      return { variants: variants.count(), chunks: variants.chunks(), units: variants.units(), terms: variants.terms() };
    });
  }

  async sentences(query: string, { documents, limits }: DocumentBatch): Promise<readonly Uint32Array[]> {
    await this.#turn();
    return callEngine(() => documents.map((document) => this.#model.sentences(query, document, limits.maxTokensPerDocument, limits.longDocuments)));
  }

  async prepare(collection: number, { documents, limits }: DocumentBatch): Promise<void> {
    await this.#turn();
    callEngine(() => {
      const wasmCollection = this.#collections.get(collection) ?? this.#model.collection();
      this.#collections.set(collection, wasmCollection);
      this.#model.prepare(wasmCollection, [...documents], limits.maxTokensPerDocument, limits.longDocuments);
    });
  }

  release(collection: number): void {
    const wasmCollection = this.#collections.get(collection);
    this.#collections.delete(collection);
    if (wasmCollection !== undefined) freeQuietly(wasmCollection);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#freeWhenIdle();
  }

  #begin(job: Job, { scores }: JobOptions): WasmScoring {
    switch (job.kind) {
      case "query":
        return this.#model.scoring(job.query, [...job.documents], scores, job.limits.maxTokensPerDocument, job.limits.longDocuments);
      case "pairs":
        return this.#model.scoring_pairs([...job.queries], [...job.documents], scores);
      case "prepared": {
        const collection = this.#collections.get(job.collection);
        if (collection === undefined) throw disposedError("collection");
        return this.#model.scoring_prepared(job.query, collection, job.candidates, scores);
      }
      case "variants":
        return this.#model.scoring_variants(this.#variants.withNumbers(job.pair, job.variants), job.variants);
    }
  }

  /** Waits for this call's turn. */
  async #turn(): Promise<void> {
    this.#check(undefined);
    await this.#nextTask();
    this.#check(undefined);
  }

  async #finish(scoring: WasmScoring, options: JobOptions, startMs: number): Promise<void> {
    let engineMs = startMs;
    let tokens = 0;
    const stepBudget = this.#budget ?? (options.maxStepMs === undefined ? undefined : new StepBudget(options.maxStepMs));
    for (;;) {
      await this.#nextTask();
      this.#check(options.signal);
      const started = performance.now();
      // A GPU computes without holding this thread.
      const budget = this.#info.backend.device === "cpu" ? stepBudget : undefined;
      if (budget !== undefined) callEngine(() => scoring.set_max_batch_tokens(budget.tokens));
      const scores = await this.#step(scoring);
      if (scores === undefined) return;
      const spans = callEngine(() => scoring.spans());
      const tokensSoFar = callEngine(() => scoring.tokens());
      const stepMs = performance.now() - started;
      budget?.record(tokensSoFar - tokens, scores.length / this.#info.numLabels, stepMs);
      engineMs += stepMs;
      options.onPartial({ scores, spans, tokens: tokensSoFar - tokens, engineMs });
      tokens = tokensSoFar;
      engineMs = 0;
    }
  }

  async #step(scoring: WasmScoring): Promise<Float32Array | undefined> {
    if (this.#info.backend.device !== "webgpu") return callEngine(() => scoring.step());
    try {
      return await callEngineAsync(() => scoring.step_async());
    } catch (error) {
      if (isDeviceLost(error) && engineDamage() === undefined) this.#info = { ...parseInfo(callEngine(() => this.#model.info())), warnings: this.#info.warnings };
      throw error;
    }
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#disposed) throw disposedError();
    const damage = engineDamage();
    if (damage !== undefined) throw damage;
    throwIfAborted(signal);
  }

  #freeWhenIdle(): void {
    if (!this.#disposed || this.#runningJobs > 0) return;
    for (const collection of this.#collections.keys()) this.release(collection);
    freeQuietly(this.#variants);
    freeQuietly(this.#model);
  }
}

/** Passes a large file to the engine in pieces, because WebAssembly memory that has grown never shrinks. */
async function pushFile(loader: WasmLoader, name: string, data: FileData): Promise<void> {
  callEngine(() => loader.open(name, BigInt(sizeOf(data))));
  for (;;) {
    const range = callEngine(() => loader.wanted());
    if (range === undefined) return;
    const piece = await bytesOf(name, data.slice(range[0] as number, range[1]));
    callEngine(() => loader.push(piece));
  }
}

/** Calls the engine. After a trap its memory may be invalid, so the engine is not used any more. */
function callEngine<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw fromEngine(error) ?? markDamaged(error, messageOf(error));
  }
}

/** As `callEngine`, for an asynchronous call. */
async function callEngineAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await rejectOnTrap(call);
  } catch (error) {
    throw fromEngine(error) ?? markDamaged(error, messageOf(error));
  }
}

/** Frees an object of the engine. After a trap this can fail too, which must not hide the trap. */
function freeQuietly(owner: WasmScoring | WasmReranker | WasmCollection | WasmLoader | VariantsCache): void {
  try {
    owner.free();
  } catch {
    // Its memory is freed when the worker, page or process ends.
  }
}

function sizeOf(data: FileData): number {
  return "size" in data ? data.size : data.byteLength;
}

/** Returns the bytes of a file. A file that the user chose may have changed on disk since. */
async function bytesOf(name: string, data: FileData): Promise<Uint8Array> {
  try {
    return new Uint8Array("size" in data ? await data.arrayBuffer() : data);
  } catch (error) {
    throw new RankletError("input", `${name} can no longer be read: ${messageOf(error)}; choose it again`, { cause: error });
  }
}
