import { RankletError } from "../errors.js";
import type { Scorer } from "../scoring/scorer.js";
import type { HostedEngine } from "../worker/host.js";
import { Engine, type EngineSettings, type FileData } from "./engine.js";
import { engineDamage, startEngine } from "./start.js";

/** The engine of a worker, on the worker's own thread. */
export class ThreadEngine implements HostedEngine {
  readonly #nextTask: () => Promise<void>;
  readonly #module: WebAssembly.Module | undefined;
  #scorer: Scorer | undefined;

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

  async load(module: WebAssembly.Module | undefined, files: ReadonlyMap<string, FileData>, settings: EngineSettings): Promise<Scorer> {
    if (this.#scorer !== undefined) throw new RankletError("input", "the worker already has a model");
    const compiled = module ?? this.#module;
    if (compiled === undefined) throw new RankletError("input", "the worker received no engine");
    startEngine(compiled);
    return (this.#scorer = await Engine.load(files, settings, { nextTask: this.#nextTask }));
  }
}
