import { Engine } from "../../engine/engine.js";
import { startEngine } from "../../engine/start.js";
import { RankletError } from "../../errors.js";
import { wholeFiles } from "../../model/arriving-file.js";
import type { Scorer } from "../../scoring/scorer.js";
import { throwIfAborted } from "../../util/abort.js";
import { WorkerStartError } from "../../worker/worker-start-error.js";
import type { EngineInputs } from "../stages.js";
import { startInWorkers } from "./start-in-workers.js";

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
    return await startInWorkers({ ...inputs, startWorker, cpuCount: inputs.platform.cpuCount() }, signal);
  } catch (error) {
    if (inputs.workers !== "auto" || !(error instanceof WorkerStartError)) throw error;
    const warning = `no worker can be started, so scoring runs on the calling thread: ${error.message}`;
    return startHere(inputs, [warning], signal);
  }
}

async function startHere(
  { platform, module, files, settings }: EngineInputs,
  warnings: readonly string[],
  signal: AbortSignal,
): Promise<Scorer> {
  const whole = await wholeFiles(files);
  throwIfAborted(signal);
  startEngine(module);
  const engine = await Engine.load(whole, settings, { nextTask: () => platform.nextTask(), maxStepMs, warnings });
  if (signal.aborted) engine.dispose();
  throwIfAborted(signal);
  return engine;
}
