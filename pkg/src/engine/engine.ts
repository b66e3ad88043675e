import { ModelFiles, WasmReranker, type WasmScoring } from "./wasm/ranklet.js";

import { RankletError, fromEngine, messageOf, throwIfAborted } from "./errors.js";
import { parseInfo } from "./info.js";
import type { Platform } from "./platform/platform.js";
import type { Job, Scored, Scorer } from "./scorer.js";
import type { ModelInfo } from "./types.js";

/** What `WasmReranker.load` reads, as JSON. */
export interface EngineSettings {
  readonly device: string;
  readonly dtype: string;
  readonly max_length?: number;
}

/** One loaded model in WebAssembly. Calls to `score` take turns, a micro-batch each. */
export class Engine implements Scorer {
  readonly info: ModelInfo;
  readonly #model: WasmReranker;
  readonly #nextTask: () => Promise<void>;
  #calls = 0;
  #disposed = false;
  #trap: unknown;

  private constructor(model: WasmReranker, platform: Platform) {
    this.#model = model;
    this.#nextTask = () => platform.nextTask();
    this.info = parseInfo(model.info());
  }

  /** @throws RankletError with the engine's code where it refuses the files or settings */
  static async load(platform: Platform, files: ReadonlyMap<string, Uint8Array>, settings: EngineSettings): Promise<Engine> {
    try {
      const held = new ModelFiles();
      for (const [name, bytes] of files) held.set(name, bytes);
      return new Engine(await WasmReranker.load(held, JSON.stringify(settings)), platform);
    } catch (error) {
      throw fromEngine(error) ?? failure(error);
    }
  }

  /** Gives way to other tasks before each micro-batch: an abort, a click or another call's turn. */
  async score(job: Job): Promise<Scored> {
    this.#check(job.signal);
    if (job.pairs.documents.length === 0) return { scores: new Float32Array(0), tokens: 0, engineMs: 0 };
    this.#calls++;
    const started = performance.now();
    try {
      const scoring = this.#run(() => begin(this.#model, job));
      try {
        return await this.#finish(scoring, job, performance.now() - started);
      } finally {
        free(scoring);
      }
    } finally {
      this.#calls--;
      this.#freeWhenIdle();
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#freeWhenIdle();
  }

  async #finish(scoring: WasmScoring, job: Job, begunMs: number): Promise<Scored> {
    const total = job.pairs.documents.length;
    const scores = new Float32Array(total * this.info.numLabels);
    let engineMs = begunMs;
    let filled = 0;
    while (filled < scores.length) {
      await this.#nextTask();
      this.#check(job.signal);
      const started = performance.now();
      const part = await this.#step(scoring);
      engineMs += performance.now() - started;
      if (part === undefined || part.length === 0 || part.length > scores.length - filled) {
        throw new RankletError("internal", `the engine gave other than ${scores.length} scores for ${total} pairs`);
      }
      scores.set(part, filled);
      filled += part.length;
      job.onProgress?.({ stage: "score", done: filled / this.info.numLabels, total });
    }
    this.#check(job.signal);
    return { scores, tokens: this.#run(() => scoring.tokens()), engineMs };
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#disposed) throw new RankletError("disposed", "the reranker was disposed; load the model again");
    if (this.#trap !== undefined) throw failure(this.#trap);
    throwIfAborted(signal);
  }

  #run<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw fromEngine(error) ?? this.#broken(error);
    }
  }

  async #step(scoring: WasmScoring): Promise<Float32Array | undefined> {
    try {
      return await scoring.step();
    } catch (error) {
      throw fromEngine(error) ?? this.#broken(error);
    }
  }

  /** After a trap nothing is known of the model's memory, so nothing more is computed with it. */
  #broken(error: unknown): RankletError {
    this.#trap = error;
    return failure(error);
  }

  #freeWhenIdle(): void {
    if (this.#disposed && this.#calls === 0) free(this.#model);
  }
}

function begin(model: WasmReranker, { pairs, scores }: Job): WasmScoring {
  return "query" in pairs
    ? model.scoring(pairs.query, pairs.documents, scores, pairs.maxTokensPerDocument)
    : model.scoring_pairs(pairs.queries, pairs.documents, scores);
}

function failure(trap: unknown): RankletError {
  return new RankletError("internal", `the engine failed (${messageOf(trap)}); load the model again`, { cause: trap });
}

/** Gives memory back. After a trap that can fail in turn, which would hide the first failure and help nobody. */
function free(owner: WasmScoring | WasmReranker): void {
  try {
    owner.free();
  } catch {
    // The memory stays taken until the page or process ends.
  }
}
