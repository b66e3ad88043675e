import { throwIfAborted, withController } from "./abort.js";
import { engineModule } from "./engine/compile.js";
import { Engine, type EngineSettings } from "./engine/engine.js";
import { startEngine } from "./engine/start.js";
import { RankletError } from "./errors.js";
import { readModelFiles } from "./model/files.js";
import { loadReaders, readOptions } from "./options.js";
import type { Platform } from "./platform/platform.js";
import type { Scorer } from "./scorer.js";
import type { LoadOptions, ModelSource } from "./types.js";
import { WorkerScorer } from "./worker/client.js";

/** An engine and a model that can begin on any thread. */
interface Parts {
  readonly platform: Platform;
  readonly module: WebAssembly.Module;
  readonly files: ReadonlyMap<string, Blob>;
  readonly settings: EngineSettings;
  readonly workers: "auto" | number;
}

/**
 * Reads the options of `load` and loads a model.
 * @throws RankletError see `Reranker.load`
 */
export async function loadScorer(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): Promise<Scorer> {
  const read = readOptions("load", options, loadReaders);
  const { signal, onProgress, device = "auto", dtype = "auto", maxLength, workers = "auto" } = read;
  throwIfAborted(signal);
  const settings: EngineSettings = maxLength === undefined ? { device, dtype } : { device, dtype, max_length: maxLength };
  return withController(signal, async (stop) => {
    const [files, module] = await Promise.all([readModelFiles(platform, source, stop.signal, onProgress), engineModule(platform)]);
    return start({ platform, module, files, settings, workers }, stop.signal);
  });
}

async function start({ platform, module, files, settings, workers }: Parts, signal: AbortSignal): Promise<Scorer> {
  throwIfAborted(signal);
  const port = platform.startWorker;
  if (workers !== 0 && port !== undefined) return WorkerScorer.load({ port, module, files, settings }, signal);
  if (workers !== 0 && workers !== "auto") {
    throw new RankletError("unsupported", `load: workers ${workers} is not available: this runtime has no workers; use "auto" or 0`);
  }
  startEngine(module);
  const engine = await Engine.load(files, settings, () => platform.nextTask());
  if (signal.aborted) engine.dispose();
  throwIfAborted(signal);
  return engine;
}
