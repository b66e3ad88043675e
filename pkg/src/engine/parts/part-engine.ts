import { WasmLoader, type WasmPart } from "../../wasm/ranklet.js";

import { callEngine, freeQuietly } from "../call-engine.js";
import { type EngineSettings, settingsJson } from "../engine.js";
import { type FileData, pushFile, readSmallFiles } from "../weights-files.js";
import type { BatchResult, PartialBatch } from "./rest.js";
import type { PartSettings } from "./split.js";

/** A part of a model after the first, in this thread's WebAssembly. */
export class PartEngine {
  readonly #part: WasmPart;

  private constructor(part: WasmPart) {
    this.#part = part;
  }

  /**
   * Loads a part of a model. Reads only the bytes of the weights that belong to it.
   * @throws RankletError as `Engine.load`
   */
  static async load(
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    { part, unpooledRows, cuts }: PartSettings,
  ): Promise<PartEngine> {
    const { smallFiles, weights } = await readSmallFiles(files, settings.weights);
    // The limit is for all parts together, and the first one checks it.
    const { max_memory_bytes: _, ...ownSettings } = settings;
    const loader = callEngine(() => WasmLoader.part(smallFiles, settingsJson(ownSettings), part, unpooledRows, Uint32Array.from(cuts)));
    try {
      for (const [name, data] of weights) await pushFile(loader, name, data);
    } catch (error) {
      freeQuietly(loader);
      throw error;
    }
    return new PartEngine(callEngine(() => loader.finish_part()));
  }

  /** Runs a micro-batch. */
  run({ stream, offsets }: PartialBatch): BatchResult {
    const started = performance.now();
    const values = callEngine(() => this.#part.run(stream, offsets));
    return { values, ms: performance.now() - started };
  }
}
