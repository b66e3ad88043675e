import { Engine, type EngineSettings } from "./engine.js";
import { throwIfAborted } from "./errors.js";
import { readModelFiles } from "./model-files.js";
import { loadReaders, readOptions } from "./options.js";
import type { Platform } from "./platform/platform.js";
import { startEngine } from "./start.js";
import type { LoadOptions, ModelSource } from "./types.js";

/**
 * Reads the options of `load` and loads a model.
 * @throws RankletError see `Reranker.load`
 */
export async function loadEngine(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): Promise<Engine> {
  const { signal, onProgress, device = "auto", dtype = "auto", maxLength } = readOptions("load", options, loadReaders);
  throwIfAborted(signal);
  const settings: EngineSettings = maxLength === undefined ? { device, dtype } : { device, dtype, max_length: maxLength };
  const files = await untilFailure(signal, async (stop) => {
    const [read] = await Promise.all([readModelFiles(platform, source, stop, onProgress), startEngine(platform)]);
    return read;
  });
  throwIfAborted(signal);
  const engine = await Engine.load(platform, files, settings);
  if (signal?.aborted === true) engine.dispose();
  throwIfAborted(signal);
  return engine;
}

/** Runs `work` with a signal that is aborted by the caller's signal, or by the first failure within the work. */
async function untilFailure<T>(signal: AbortSignal | undefined, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const forward = (): void => stop.abort(signal?.reason);
  signal?.addEventListener("abort", forward, { once: true });
  try {
    return await work(stop.signal);
  } catch (error) {
    stop.abort();
    throwIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener("abort", forward);
  }
}
