import { RankletError } from "../errors.js";
import type { Scorer } from "../scoring/scorer.js";
import type { HostedEngine } from "../worker/host.js";
import { Engine, type EngineSettings, type EngineSplit } from "./engine.js";
import type { BatchResult, StageBatch } from "./pipeline/pipelined-scoring.js";
import type { StageSettings } from "./pipeline/split.js";
import { StageEngine } from "./pipeline/stage-engine.js";
import { engineDamage, startEngine } from "./start.js";
import type { FileData } from "./weights-files.js";

/** The engine of a worker, on the worker's own thread. */
export class ThreadEngine implements HostedEngine {
  readonly #nextTask: () => Promise<void>;
  readonly #module: WebAssembly.Module | undefined;
  #scorer: Engine | undefined;
  #stage: StageEngine | undefined;

  /**
   * @param nextTask resolves in a later task, after the messages that are queued now
   * @param module the engine if `load` does not get it
   */
  constructor(nextTask: () => Promise<void>, module?: WebAssembly.Module) {
    this.#nextTask = nextTask;
    this.#module = module;
  }

  get scorer(): Scorer | undefined {
    return this.#scorer;
  }

  get isDamaged(): boolean {
    return engineDamage() !== undefined;
  }

  async load(
    module: WebAssembly.Module | undefined,
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    split?: EngineSplit,
  ): Promise<Scorer> {
    this.#start(module);
    return (this.#scorer = await Engine.load(files, settings, { nextTask: this.#nextTask }, split));
  }

  async loadStage(
    module: WebAssembly.Module | undefined,
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    stage: StageSettings,
  ): Promise<void> {
    this.#start(module);
    this.#stage = await StageEngine.load(files, settings, stage);
  }

  runStage(batch: StageBatch): BatchResult {
    if (this.#stage === undefined) throw new RankletError("input", "the worker has no stage");
    return this.#stage.run(batch);
  }

  async verify(): Promise<void> {
    await this.#scorer?.verify();
  }

  #start(module: WebAssembly.Module | undefined): void {
    if (this.#scorer !== undefined || this.#stage !== undefined) throw new RankletError("input", "the worker already has a model");
    const compiled = module ?? this.#module;
    if (compiled === undefined) throw new RankletError("input", "the worker received no engine");
    startEngine(compiled);
  }
}
