import { copiesFor, maxCopyBytes, type SplitRequest } from "../../engine/pipeline/split.js";
import type { Scorer } from "../../scoring/scorer.js";
import { PipelineConnector } from "../../worker/pipeline/pipeline-connector.js";
import { type PoolSize, WorkerPool } from "../../worker/pool.js";
import type { WorkerPort } from "../../worker/port.js";
import { PrestartedWorkers } from "../../worker/prestarted-workers.js";
import { WorkerConnection } from "../../worker/worker-connection.js";
import { WorkerScorer } from "../../worker/worker-scorer.js";
import { type WorkerStart, WorkerStarter } from "../../worker/worker-starter.js";

/** Max number of workers that `"auto"` starts. */
const maxAutoWorkers = 4;

/** The inputs of workers, and their number. */
export interface WorkerInputs extends WorkerStart {
  readonly workers: "auto" | number;
  /** How several workers share the model. `"auto"` is `"copies"` for a given number of workers. */
  readonly split: "auto" | "copies" | "layers";
  readonly cpuCount: number;
  /** Whether the calls of a single worker survive its loss too. */
  readonly survivesLoss?: boolean;
}

/** The size of the pool, and how it holds the model. */
interface PoolOptions<Mode = WorkerInputs["split"]> extends PoolSize {
  readonly mode: Mode;
  /** Whether the calls of a single worker survive its loss too. */
  readonly survivesLoss: boolean;
}

/**
 * Loads a model into workers.
 * @throws RankletError as the engine does for its files and settings; a `WorkerStartError` if no worker can be started
 */
export async function startInWorkers(inputs: WorkerInputs, signal: AbortSignal): Promise<Scorer> {
  const { startWorker, module, files, settings, workers, cpuCount, split, survivesLoss = false } = inputs;
  const first = startWorker();
  const start = { startWorker, module, files, settings };
  const size: PoolSize =
    workers === "auto" ? { workers: Math.min(cpuCount, maxAutoWorkers), waitForAll: false } : { workers, waitForAll: true };
  const mode = split === "auto" && workers !== "auto" ? "copies" : split;
  if (settings.device === "auto") return raceDevices(first, start, { ...size, mode, survivesLoss }, signal);
  const isAlone = size.workers === 1 || settings.device === "gpu";
  if (!isAlone && mode !== "copies") return startSplit(first, start, { ...size, mode, survivesLoss }, signal);
  if (isAlone && !survivesLoss) return WorkerScorer.load(first, start, signal);
  return WorkerPool.load(first, start, isAlone ? { ...size, workers: 1 } : size, signal);
}

/** Loads into the first worker, which chooses between copies and layers by the predicted memory, and into the others. */
async function startSplit(
  first: WorkerPort,
  start: WorkerStart,
  options: PoolOptions<SplitRequest["mode"]>,
  signal: AbortSignal,
): Promise<Scorer> {
  const { mode, workers: count } = options;
  const prestarted = PrestartedWorkers.start(first, start, count - 1);
  const request = { mode, workers: count, maxBytes: start.settings.max_memory_bytes };
  const { plan, model, connector } = await prestarted.whileLoading(
    PipelineConnector.load(new WorkerConnection(first), prestarted, request, signal),
  );
  const scorer = new WorkerScorer(connector ?? new WorkerStarter(start), model.info, model.connection);
  const workers = plan.split === "copies" ? plan.workers : 1;
  if (workers === 1) prestarted.end();
  if (workers === 1 && connector === undefined && !options.survivesLoss) return scorer;
  const pool = await WorkerPool.withFirst(scorer, prestarted, { ...options, workers }, signal);
  prestarted.end();
  return pool;
}

/**
 * Loads into the first worker, whose engine times the GPU against the CPU. If the GPU wins, that worker is the only one;
 * otherwise the other workers join it and all compute on the CPU. If the model is too large for copies, it is then loaded again,
 * some layers into each worker.
 */
async function raceDevices(first: WorkerPort, start: WorkerStart, options: PoolOptions, signal: AbortSignal): Promise<Scorer> {
  const { mode, workers } = options;
  const { settings } = start;
  const onCpu = { ...start, settings: { ...settings, device: "cpu" } };
  const racing = { ...start, settings: { ...settings, cpu_workers: workers } };
  const prestarted = PrestartedWorkers.start(first, onCpu, workers - 1);
  const scorer = await prestarted.whileLoading(WorkerScorer.load(first, racing, signal, onCpu));
  const hasGpu = scorer.info.backend.device === "webgpu";
  const { memoryBytes, backend } = scorer.info;
  const copies = mode === "auto" ? copiesFor(memoryBytes, workers, settings.max_memory_bytes) : workers;
  const isSplit = mode === "layers" || (mode === "auto" && copies === 1 && memoryBytes > maxCopyBytes);
  if (!hasGpu && workers > 1 && isSplit) {
    prestarted.end();
    scorer.dispose();
    const split = { ...onCpu, settings: { ...onCpu.settings, reason: backend.reason } };
    return startSplit(start.startWorker(), split, { ...options, mode }, signal);
  }
  if (!hasGpu && copies > 1) {
    const pool = await WorkerPool.withFirst(scorer, prestarted, { ...options, workers: copies }, signal);
    prestarted.end();
    return pool;
  }
  prestarted.end();
  return options.survivesLoss ? WorkerPool.withFirst(scorer, prestarted, { ...options, workers: 1 }, signal) : scorer;
}
