import { RankletError } from "../errors.js";
import type { Scorer } from "../scoring/scorer.js";
import type { HostedEngine } from "../worker/host.js";
import { Engine, type EngineSettings, type EngineSplit } from "./engine.js";
import { PartEngine } from "./parts/part-engine.js";
import type { BatchResult, PartialBatch } from "./parts/rest.js";
import type { PartSettings } from "./parts/split.js";
import { engineDamage, startEngine } from "./start.js";
import type { FileData } from "./weights-files.js";

/** The engine of a worker, on the worker's own thread. */
export class ThreadEngine implements HostedEngine {
  readonly #nextTask: () => Promise<void>;
  readonly #module: WebAssembly.Module | undefined;
  #scorer: Engine | undefined;
  #part: PartEngine | undefined;

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

  async loadPart(
    module: WebAssembly.Module | undefined,
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    part: PartSettings,
  ): Promise<void> {
    this.#start(module);
    this.#part = await PartEngine.load(files, settings, part);
  }

  runPart(batch: PartialBatch): BatchResult {
    if (this.#part === undefined) throw new RankletError("input", "the worker has no layers");
    return this.#part.run(batch);
  }

  async verify(): Promise<void> {
    await this.#scorer?.verify();
  }

  #start(module: WebAssembly.Module | undefined): void {
    if (this.#scorer !== undefined || this.#part !== undefined) throw new RankletError("input", "the worker already has a model");
    const compiled = module ?? this.#module;
    if (compiled === undefined) throw new RankletError("input", "the worker received no engine");
    startEngine(compiled);
  }
}
