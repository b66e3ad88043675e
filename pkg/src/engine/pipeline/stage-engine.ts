import { WasmLoader, type WasmStage } from "../../wasm/ranklet.js";

import { callEngine, freeQuietly } from "../call-engine.js";
import { type EngineSettings, settingsJson } from "../engine.js";
import { type FileData, pushFile, readSmallFiles } from "../weights-files.js";
import type { BatchResult, StageBatch } from "./pipelined-scoring.js";
import type { StageSettings } from "./split.js";

/** A stage of a model after the first, in this thread's WebAssembly. */
export class StageEngine {
  readonly #stage: WasmStage;

  private constructor(stage: WasmStage) {
    this.#stage = stage;
  }

  /**
   * Loads a stage of a model. Reads only the bytes of the weights that belong to it.
   * @throws RankletError as `Engine.load`
   */
  static async load(
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    { number, plan: { unpooledRows, splitPoints } }: StageSettings,
  ): Promise<StageEngine> {
    const { smallFiles, weights } = await readSmallFiles(files, settings.weights);
    // The limit is for all stages together, and the first one checks it.
    const { max_memory_bytes: _, ...ownSettings } = settings;
    const loader = callEngine(() =>
      WasmLoader.stage(smallFiles, settingsJson(ownSettings), number, unpooledRows, Uint32Array.from(splitPoints)),
    );
    try {
      for (const [name, data] of weights) await pushFile(loader, name, data);
    } catch (error) {
      freeQuietly(loader);
      throw error;
    }
    return new StageEngine(callEngine(() => loader.finish_stage()));
  }

  /** Runs a micro-batch. */
  run({ hiddenStates, offsets }: StageBatch): BatchResult {
    const started = performance.now();
    const values = callEngine(() => this.#stage.run(hiddenStates, offsets));
    return { values, ms: performance.now() - started };
  }
}
