import { disposedError, isDeviceLost } from "../errors.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import { type WasmCollection, WasmLoader, type WasmReranker, type WasmScoring } from "../wasm/ranklet.js";
import { callEngine, callEngineAsync, freeQuietly } from "./call-engine.js";
import { withGpuChoices } from "./gpu-choices.js";
import { inStages, parseInfo, withWarnings } from "./info.js";
import { batchOf, type LaterStages, scorePipelined } from "./pipeline/pipelined-scoring.js";
import { chooseSplit, type PipelinePlan, type SplitPlan, type SplitRequest } from "./pipeline/split.js";
import { engineDamage } from "./start.js";
import { StepBudget } from "./step-budget.js";
import { VariantsCache } from "./variants-cache.js";
import { type FileData, pushFile, readSmallFiles } from "./weights-files.js";

/** The settings that `WasmLoader` reads as JSON, `reason` and `no_cache`. */
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
  /** If true, the kernels chosen for a GPU are neither kept for later pages nor taken from earlier ones. */
  readonly no_cache?: true;
}

/** Returns the JSON that `WasmLoader` reads. It refuses settings that it does not know. */
export function settingsJson({ reason: _, no_cache: _cache, ...settings }: EngineSettings): string {
  return JSON.stringify(settings);
}

/** The thread that an engine computes on. */
interface EngineThread {
  /** Resolves in a later task, after the events that are queued now. */
  readonly nextTask: () => Promise<void>;
  /** The time in milliseconds that a micro-batch may take, unless it has one pair only. Default: that of the engine's own size. */
  readonly maxStepMs?: number;
  /** Warnings of loading that `info` has in addition to the engine's own. */
  readonly warnings?: readonly string[];
}

/** How an engine may share its model with other workers. */
export interface EngineSplit {
  /** The plan if it is known, or what it is chosen by. */
  readonly request: SplitRequest | PipelinePlan;
  /** Receives the plan before the weights are read. */
  readonly onPlan: (plan: SplitPlan) => void;
  /** The stages that others compute if the plan is `"layers"`. */
  readonly laterStages: (plan: PipelinePlan) => LaterStages;
}

/** One loaded model in this thread's WebAssembly. Concurrent jobs take turns after each micro-batch. */
export class Engine implements Scorer {
  readonly #model: WasmReranker;
  readonly #nextTask: () => Promise<void>;
  readonly #budget: StepBudget | undefined;
  readonly #collections = new Map<number, WasmCollection>();
  readonly #variants: VariantsCache;
  /** The stages after this engine. */
  readonly #laterStages: LaterStages | undefined;
  #info: ModelInfo;
  #runningJobs = 0;
  #disposed = false;

  private constructor(
    model: WasmReranker,
    { nextTask, maxStepMs, warnings = [] }: EngineThread,
    reason?: string,
    pipeline?: { readonly plan: PipelinePlan; readonly laterStages: LaterStages },
  ) {
    this.#model = model;
    this.#variants = new VariantsCache(model);
    this.#laterStages = pipeline?.laterStages;
    this.#nextTask = nextTask;
    this.#budget = maxStepMs === undefined ? undefined : new StepBudget(maxStepMs);
    const info = withWarnings(parseInfo(model.info(), reason), warnings);
    this.#info = pipeline === undefined ? info : inStages(info, pipeline.plan);
  }

  /** Changes if a GPU fails and the CPU takes over. */
  get info(): ModelInfo {
    return this.#info;
  }

  /**
   * Loads a model, or the first layers of one that is split.
   * @throws RankletError with the engine's code if it refuses the files or settings; `input` for a file that cannot be read
   */
  static async load(
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    thread: EngineThread,
    split?: EngineSplit,
  ): Promise<Engine> {
    const { smallFiles, weights, bytes } = await readSmallFiles(files, settings.weights);
    // Without weights, their names are all that the engine needs to tell which are missing.
    if (bytes === 0) for (const [name] of weights) smallFiles.set(name, new Uint8Array());
    const loader = callEngine(() => new WasmLoader(smallFiles, BigInt(bytes), settingsJson(settings)));
    let pipeline: { readonly plan: PipelinePlan; readonly laterStages: LaterStages } | undefined;
    try {
      if (split !== undefined) {
        const plan = planSplit(loader, weights[0]?.[0], split.request);
        split.onPlan(plan);
        if (plan.split === "layers") pipeline = { plan, laterStages: split.laterStages(plan) };
      }
      for (const [name, data] of weights) await pushFile(loader, name, data);
    } catch (error) {
      freeQuietly(loader);
      throw error;
    }
    const finish = (): Promise<WasmReranker> => callEngineAsync(() => loader.finish_async());
    const model =
      settings.device === "cpu" ? callEngine(() => loader.finish()) : await (settings.no_cache ? finish() : withGpuChoices(finish));
    return callEngine(() => new Engine(model, thread, settings.reason, pipeline));
  }

  /**
   * Verifies a split engine with the pairs of the weights file, after the later stages are loaded.
   * @throws RankletError `integrity` if the logits differ
   */
  async verify(): Promise<void> {
    for (let pair = 0; this.#laterStages !== undefined; pair++) {
      const arrays = callEngine(() => this.#model.golden_batch(pair));
      if (arrays === undefined) return;
      const { values } = await this.#laterStages.run(batchOf(arrays)).logits;
      callEngine(() => this.#model.check_golden(pair, values));
    }
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
    return callEngine(() =>
      documents.map((document) => this.#model.sentences(query, document, limits.maxTokensPerDocument, limits.longDocuments)),
    );
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
    const turn = async (): Promise<void> => {
      await this.#nextTask();
      this.#check(options.signal);
    };
    const onScores = (scores: Float32Array, ms: number, budget: StepBudget | undefined): void => {
      const spans = callEngine(() => scoring.spans());
      const tokensSoFar = callEngine(() => scoring.tokens());
      budget?.record(tokensSoFar - tokens, scores.length / this.#info.numLabels, ms);
      options.onPartial({ scores, spans, tokens: tokensSoFar - tokens, engineMs: engineMs + ms });
      tokens = tokensSoFar;
      engineMs = 0;
    };
    if (this.#laterStages !== undefined) {
      return scorePipelined(scoring, this.#laterStages, {
        turn,
        signal: options.signal,
        budget: stepBudget,
        onScores: (scores, ms) => onScores(scores, ms, stepBudget),
      });
    }
    for (;;) {
      await turn();
      const started = performance.now();
      // A GPU computes without holding this thread.
      const budget = this.#info.backend.device === "cpu" ? stepBudget : undefined;
      if (budget !== undefined) callEngine(() => scoring.set_max_batch_tokens(budget.tokens));
      const scores = await this.#step(scoring);
      if (scores === undefined) return;
      onScores(scores, performance.now() - started, budget);
    }
  }

  async #step(scoring: WasmScoring): Promise<Float32Array | undefined> {
    if (this.#info.backend.device !== "webgpu") return callEngine(() => scoring.step());
    try {
      return await callEngineAsync(() => scoring.step_async());
    } catch (error) {
      if (isDeviceLost(error) && engineDamage() === undefined)
        this.#info = { ...parseInfo(callEngine(() => this.#model.info())), warnings: this.#info.warnings };
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

/** Decides how the model is split, and restricts the loader to its first stage. */
function planSplit(loader: WasmLoader, weights: string | undefined, request: SplitRequest | PipelinePlan): SplitPlan {
  if (weights === undefined) return { split: "copies", workers: 1 };
  const plan =
    "split" in request
      ? request
      : chooseSplit(
          callEngine(() => loader.split(weights, request.workers)),
          request,
        );
  if (plan.split === "layers") callEngine(() => loader.keep_first_stage(Uint32Array.from(plan.splitPoints)));
  return plan;
}
