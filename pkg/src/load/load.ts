import { abortable, throwIfAborted, withAbortController } from "../util/abort.js";
import { engineModule } from "../engine/compile.js";
import { Engine, type EngineSettings } from "../engine/engine.js";
import { startEngine } from "../engine/start.js";
import { RankletError, messageOf, type ErrorCode } from "../errors.js";
import type { Loaded } from "./loaded.js";
import type { ModelCache } from "../model/cache.js";
import type { Files } from "../model/model-files.js";
import { openCache } from "./open-cache.js";
import { tellCached } from "./progress.js";
import { readModelFiles } from "./read.js";
import { Room } from "./memory-budget.js";
import { readSource } from "./locate.js";
import { checkOptions } from "../util/check.js";
import { loadChecks } from "./load-options.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { LoadOptions, ModelSource } from "../types.js";
import { WorkerScorer, type WorkerStart } from "../worker/worker-scorer.js";
import { WorkerPool, type PoolSize } from "../worker/pool.js";
import type { WorkerPort } from "../worker/port.js";
import { PrestartedWorkers } from "../worker/prestarted-workers.js";

/** An engine and a model that can begin on any thread. */
interface EngineInputs {
  readonly platform: Platform;
  readonly module: WebAssembly.Module;
  readonly files: Files;
  readonly settings: EngineSettings;
  readonly workers: "auto" | number;
  /** How many "auto" can be. */
  readonly maxWorkers: number;
}

/** What loading does, step by step. */
interface LoadSteps {
  /** Reads the files from where they are. */
  read(): Promise<Files>;
  /** Starts an engine with the files. */
  begin(files: Promise<Files>): Promise<Scorer>;
  /** Hears of files that came from the cache. */
  onCached(files: Files): void;
}

/** The most workers of "auto", and the most bytes of a model that it has in several. */
const maxAutoWorkers = 4;
const maxSharedBytes = 200e6;

/** What an engine says of files that are not as they were; anything else has other reasons than the files. */
const fileErrorCodes: readonly ErrorCode[] = ["config", "tokenizer", "weights", "integrity"];

/**
 * Reads the options of `load` and loads a model.
 * @throws RankletError see `Reranker.load`
 */
export async function loadScorer(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): Promise<Loaded> {
  const read = checkOptions("load", options, loadChecks);
  const { signal, onProgress, device = "auto", dtype = "auto", maxLength, maxMemoryBytes, revision, baseUrl, token } = read;
  throwIfAborted(signal);
  // Without a limit each worker may take what it takes; with one, the first has all of it.
  const workers = read.workers ?? "auto";
  const limited = maxMemoryBytes !== undefined && workers === "auto";
  const settings: EngineSettings = {
    ...deviceHere(platform, device, workers),
    dtype,
    ...(maxLength === undefined ? {} : { max_length: maxLength }),
    ...(maxMemoryBytes === undefined ? {} : { max_memory_bytes: Math.floor(maxMemoryBytes / (limited ? 1 : Math.max(1, Number(workers)))) }),
  };
  const room = new Room(settings);
  const model = readSource(platform, source, { revision, baseUrl, token });
  const cache = openCache(platform, model, read.cache);
  return withAbortController(signal, async (stop) => {
    const steps: LoadSteps = {
      read: () => readModelFiles(platform, model, room, stop.signal, onProgress),
      begin: async (reading) => {
        const [files, module] = await Promise.all([reading, abortable(engineModule(platform), stop.signal)]);
        return start({ platform, module, files, settings, workers, maxWorkers: limited ? 1 : maxAutoWorkers }, stop.signal);
      },
      onCached: (files) => tellCached(files, onProgress),
    };
    const loaded = cache === undefined ? withWarnings(await steps.begin(steps.read()), []) : await loadCached(cache, steps, stop.signal);
    if (stop.signal.aborted) loaded.scorer.dispose();
    throwIfAborted(stop.signal);
    return loaded;
  });
}

/**
 * Loads from the cache, or else from where the files are and puts them into the cache: after the engine has taken
 * them, so what is kept can be loaded. Kept files that the engine refuses are read afresh, once.
 */
async function loadCached(cache: ModelCache, steps: LoadSteps, signal: AbortSignal): Promise<Loaded> {
  const warnings: string[] = [];
  const kept = await abortable(cache.read(), signal);
  if (kept !== undefined) {
    steps.onCached(kept);
    try {
      return withWarnings(await steps.begin(Promise.resolve(kept)), warnings);
    } catch (error) {
      if (!(error instanceof RankletError) || !fileErrorCodes.includes(error.code)) throw error;
      warnings.push(`the model was downloaded again, for the files in the cache were damaged: ${error.message}`);
      await cache.drop().catch(() => {}); // What cannot be removed cannot be written either, which is told below.
    }
  }
  const reading = steps.read();
  const scorer = await steps.begin(reading);
  try {
    await cache.write(await reading);
  } catch (error) {
    warnings.push(`the model could not be kept in the cache and will be downloaded again next time: ${messageOf(error)}`);
  }
  return withWarnings(scorer, warnings);
}

function withWarnings(scorer: Scorer, warnings: readonly string[]): Loaded {
  if (warnings.length === 0) return { scorer, info: scorer.info };
  return { scorer, info: Object.freeze({ ...scorer.info, warnings: Object.freeze([...scorer.info.warnings, ...warnings]) }) };
}

async function start({ platform, module, files, settings, workers, maxWorkers }: EngineInputs, signal: AbortSignal): Promise<Scorer> {
  throwIfAborted(signal);
  const { startWorker } = platform;
  if (workers !== 0) {
    const first = firstWorker(startWorker, workers);
    if (first !== undefined && startWorker !== undefined) {
      const begin = { startWorker, module, files, settings };
      const wanted = workers === "auto" ? { workers: Math.min(workerCount(platform, files), maxWorkers), waitForAll: false } : { workers, waitForAll: true };
      if (settings.device === "auto") return race(first, begin, wanted, signal);
      return wanted.workers === 1 || settings.device === "gpu" ? WorkerScorer.load(first, begin, signal) : WorkerPool.load(first, begin, wanted, signal);
    }
  }
  startEngine(module);
  const engine = await Engine.load(files, settings, () => platform.nextTask());
  if (signal.aborted) engine.dispose();
  throwIfAborted(signal);
  return engine;
}

/** Loads where a GPU may be the faster one: then one worker has it, and otherwise all that are wanted compute on the CPU. */
async function race(first: WorkerPort, start: WorkerStart, wanted: PoolSize, signal: AbortSignal): Promise<Scorer> {
  const onCpu = { ...start, settings: { ...start.settings, device: "cpu" } };
  const racing = { ...start, settings: { ...start.settings, cpu_workers: wanted.workers } };
  const prestarted = PrestartedWorkers.start(onCpu, wanted.workers - 1);
  const scorer = await prestarted.whileLoading(WorkerScorer.load(first, racing, signal, onCpu));
  if (scorer.info.backend.device !== "webgpu" && wanted.workers > 1) return WorkerPool.withFirst(scorer, onCpu, wanted, prestarted, signal);
  prestarted.end();
  return scorer;
}

/** How many workers "auto" is: few and, where each would hold much, one. */
function workerCount(platform: Platform, files: Files): number {
  let bytes = 0;
  for (const { size } of files.values()) bytes += size;
  return bytes > maxSharedBytes ? 1 : Math.min(platform.cpuCount(), maxAutoWorkers);
}

/**
 * What the engine is told of the device: nothing of a GPU where there is no WebGPU.
 * @throws RankletError `unsupported` where one is insisted on and there is none, or shared out
 */
function deviceHere(platform: Platform, device: "auto" | "webgpu" | "cpu", workers: "auto" | number): Pick<EngineSettings, "device" | "reason"> {
  if (device === "auto") return platform.hasGpu() ? { device } : { device: "cpu", reason: "there is no WebGPU here" };
  if (device === "cpu") return { device };
  if (!platform.hasGpu()) {
    throw new RankletError("unsupported", 'load: device "webgpu" is not available: there is no WebGPU here (a browser has it on https pages only); use "auto" or "cpu"');
  }
  if (workers !== "auto" && workers > 1) {
    throw new RankletError("unsupported", `load: workers ${workers} cannot share a GPU; use "auto", 1 or 0 with the device "webgpu"`);
  }
  return { device: "gpu" };
}

/** A worker; with "auto", `undefined` where there are none or the page may not start one. */
function firstWorker(startWorker: Platform["startWorker"], workers: "auto" | number): WorkerPort | undefined {
  try {
    if (startWorker !== undefined) return startWorker();
  } catch (error) {
    if (workers !== "auto") throw error;
  }
  if (workers === "auto") return undefined;
  throw new RankletError("unsupported", `load: workers ${workers} is not available: this runtime has no workers; use "auto" or 0`);
}
