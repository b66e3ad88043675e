import type { Backend, ModelInfo } from "../types.js";
import type { PipelinePlan } from "./pipeline/split.js";

/** The JSON of the engine's `info()`. */
interface EngineInfo {
  model_type: string;
  architecture: string;
  num_labels: number;
  activation: string;
  calibration: { scale: number; offset: number } | null;
  max_length: number;
  parameters: number;
  hidden_size: number;
  layers: number;
  weights: { format: string; bytes: number };
  memory_bytes: number;
  backend: Omit<Backend, "workers" | "device"> & { device: "cpu" | "gpu" };
  warnings: string[];
}

/**
 * Parses the JSON of the engine's `info()`. An engine computes on its own thread, so `workers` is 0.
 * @param reason why the device was chosen, if the engine cannot know
 */
export function parseInfo(json: string, reason?: string): ModelInfo {
  const info = JSON.parse(json) as EngineInfo;
  return frozen({
    modelType: info.model_type,
    architecture: info.architecture,
    numLabels: info.num_labels,
    activation: info.activation,
    calibrated: info.calibration !== null,
    ...(info.calibration === null ? {} : { calibration: info.calibration }),
    maxLength: info.max_length,
    parameters: info.parameters,
    hiddenSize: info.hidden_size,
    layers: info.layers,
    weights: info.weights,
    memoryBytes: info.memory_bytes,
    backend: {
      ...info.backend,
      ...(reason === undefined ? {} : { reason }),
      device: info.backend.device === "gpu" ? "webgpu" : "cpu",
      workers: 0,
    },
    warnings: info.warnings,
  });
}

/** Returns the info of a model in `workers` workers. */
export function inWorkers(info: ModelInfo, workers: number): ModelInfo {
  if (info.backend.split === "layers") return frozen(info);
  return frozen({ ...info, backend: { ...info.backend, workers, ...(workers > 1 ? { split: "copies" } : {}) } });
}

/** Returns the info of a model whose layers are split over workers. */
export function inStages(info: ModelInfo, { splitPoints, bytes }: PipelinePlan): ModelInfo {
  return frozen({ ...info, memoryBytes: bytes, backend: { ...info.backend, workers: splitPoints.length + 1, split: "layers" } });
}

/** Returns the info with further warnings. */
export function withWarnings(info: ModelInfo, warnings: readonly string[]): ModelInfo {
  return warnings.length === 0 ? info : frozen({ ...info, warnings: [...info.warnings, ...warnings] });
}

/** Freezes an info. A copy that came from a worker has to be frozen again. */
function frozen(info: ModelInfo): ModelInfo {
  for (const part of [info.weights, info.backend, info.warnings, info.calibration]) Object.freeze(part);
  return Object.freeze(info);
}
