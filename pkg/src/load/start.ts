import { Engine } from "../engine/engine.js";
import { startEngine } from "../engine/start.js";
import { RankletError } from "../errors.js";
import type { ModelFiles } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import { throwIfAborted } from "../util/abort.js";
import { type PoolSize, WorkerPool } from "../worker/pool.js";
import type { WorkerPort } from "../worker/port.js";
import { PrestartedWorkers } from "../worker/prestarted-workers.js";
import { WorkerScorer, type WorkerStart } from "../worker/worker-scorer.js";
import { WorkerStartError } from "../worker/worker-start-error.js";
import type { EngineInputs } from "./stages.js";

/** Size in bytes of the largest model that "auto" loads into several workers: each holds a copy of the weights. */
const maxSharedBytes = 200e6;

/** The time in milliseconds for which scoring may hold the calling thread: a frame at 60 Hz. One pair may take longer. */
const maxStepMs = 16;

/**
 * Starts an engine with the files: in workers, or on the calling thread if there are none.
 * @throws RankletError as the engine does for its files and settings; `unsupported` if workers are required and missing
 */
export async function startScorer(inputs: EngineInputs, signal: AbortSignal): Promise<Scorer> {
  throwIfAborted(signal);
  const { startWorker } = inputs.platform;
  if (inputs.workers === 0 || (inputs.workers === "auto" && startWorker === undefined)) return startHere(inputs, [], signal);
  if (startWorker === undefined) {
    throw new RankletError("unsupported", `load: workers ${inputs.workers} is not available: this runtime has no workers; use "auto" or 0`);
  }
  try {
    return await startInWorkers(inputs, startWorker, signal);
  } catch (error) {
    if (inputs.workers !== "auto" || !(error instanceof WorkerStartError)) throw error;
    const warning = `no worker can be started, so scoring runs on the calling thread: ${error.message}`;
    return startHere(inputs, [warning], signal);
  }
}

async function startHere({ platform, module, files, settings }: EngineInputs, warnings: readonly string[], signal: AbortSignal): Promise<Scorer> {
  startEngine(module);
  const engine = await Engine.load(files, settings, { nextTask: () => platform.nextTask(), maxStepMs, warnings });
  if (signal.aborted) engine.dispose();
  throwIfAborted(signal);
  return engine;
}

async function startInWorkers({ platform, module, files, settings, workers, maxAutoWorkers }: EngineInputs, startWorker: () => WorkerPort, signal: AbortSignal): Promise<Scorer> {
  const first = startWorker();
  const start = { startWorker, module, files, settings };
  const size: PoolSize =
    workers === "auto" ? { workers: Math.min(autoWorkers(platform, files), maxAutoWorkers), waitForAll: false } : { workers, waitForAll: true };
  if (settings.device === "auto") return raceDevices(first, start, size, signal);
  return size.workers === 1 || settings.device === "gpu" ? WorkerScorer.load(first, start, signal) : WorkerPool.load(first, start, size, signal);
}

/**
 * Loads into the first worker, whose engine times the GPU against the CPU. If the GPU wins, that worker is the only one;
 * otherwise the other workers join it and all compute on the CPU.
 */
async function raceDevices(first: WorkerPort, start: WorkerStart, size: PoolSize, signal: AbortSignal): Promise<Scorer> {
  const onCpu = { ...start, settings: { ...start.settings, device: "cpu" } };
  const racing = { ...start, settings: { ...start.settings, cpu_workers: size.workers } };
  const prestarted = PrestartedWorkers.start(onCpu, size.workers - 1);
  const scorer = await prestarted.whileLoading(WorkerScorer.load(first, racing, signal, onCpu));
  if (scorer.info.backend.device !== "webgpu" && size.workers > 1) return WorkerPool.withFirst(scorer, onCpu, size, prestarted, signal);
  prestarted.end();
  return scorer;
}

/** Returns the number of workers for "auto", before its upper bound: one for each CPU core, or one for a large model. */
function autoWorkers(platform: Platform, files: ModelFiles): number {
  let bytes = 0;
  for (const { size } of files.values()) bytes += size;
  return bytes > maxSharedBytes ? 1 : platform.cpuCount();
}
