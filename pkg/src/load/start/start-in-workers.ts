import type { Scorer } from "../../scoring/scorer.js";
import { type PoolSize, WorkerPool } from "../../worker/pool.js";
import type { WorkerPort } from "../../worker/port.js";
import { PrestartedWorkers } from "../../worker/prestarted-workers.js";
import { WorkerScorer } from "../../worker/worker-scorer.js";
import type { WorkerStart } from "../../worker/worker-starter.js";

/** Size in bytes of the largest model that "auto" loads into several workers: each holds a copy of the weights. */
const maxSharedBytes = 200e6;

/** What workers need, and how many there are. */
export interface WorkerInputs extends WorkerStart {
  readonly workers: "auto" | number;
  /** The number of workers that "auto" may use. */
  readonly maxAutoWorkers: number;
  readonly cpuCount: number;
  /** Whether the calls of a single worker survive its loss too. */
  readonly survivesLoss?: boolean;
}

/**
 * Loads a model into workers.
 * @throws RankletError as the engine does for its files and settings; a `WorkerStartError` if no worker can be started
 */
export async function startInWorkers(inputs: WorkerInputs, signal: AbortSignal): Promise<Scorer> {
  const { startWorker, module, files, settings, workers, maxAutoWorkers, survivesLoss = false } = inputs;
  const first = startWorker();
  const start = { startWorker, module, files, settings };
  const size: PoolSize = workers === "auto" ? { workers: Math.min(autoWorkers(inputs), maxAutoWorkers), waitForAll: false } : { workers, waitForAll: true };
  if (settings.device === "auto") return raceDevices(first, start, size, survivesLoss, signal);
  const isAlone = size.workers === 1 || settings.device === "gpu";
  if (isAlone && !survivesLoss) return WorkerScorer.load(first, start, signal);
  return WorkerPool.load(first, start, isAlone ? { ...size, workers: 1 } : size, signal);
}

/**
 * Loads into the first worker, whose engine times the GPU against the CPU. If the GPU wins, that worker is the only one;
 * otherwise the other workers join it and all compute on the CPU.
 */
async function raceDevices(first: WorkerPort, start: WorkerStart, size: PoolSize, survivesLoss: boolean, signal: AbortSignal): Promise<Scorer> {
  const onCpu = { ...start, settings: { ...start.settings, device: "cpu" } };
  const racing = { ...start, settings: { ...start.settings, cpu_workers: size.workers } };
  const prestarted = PrestartedWorkers.start(onCpu, size.workers - 1);
  const scorer = await prestarted.whileLoading(WorkerScorer.load(first, racing, signal, onCpu));
  const hasGpu = scorer.info.backend.device === "webgpu";
  if (!hasGpu && size.workers > 1) return WorkerPool.withFirst(scorer, onCpu, size, prestarted, signal);
  prestarted.end();
  return survivesLoss ? WorkerPool.withFirst(scorer, onCpu, { ...size, workers: 1 }, prestarted, signal) : scorer;
}

/** Returns the number of workers for "auto", before its upper bound: one for each CPU core, or one for a large model. */
function autoWorkers({ files, cpuCount }: WorkerInputs): number {
  let bytes = 0;
  for (const { size } of files.values()) bytes += size;
  return bytes > maxSharedBytes ? 1 : cpuCount;
}
