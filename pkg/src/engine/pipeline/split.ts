import { RankletError } from "../../errors.js";

/**
 * Max predicted memory in bytes of a model that "auto" loads into several workers with a copy of the weights in each. Each
 * copy holds the weights again, so a larger one is split into layers.
 */
export const maxCopyBytes = 200e6;

/** Max memory of all stages of a model, relative to one engine with all of it. Layers that share weights are not split. */
const maxPipelineRatio = 1.5;

/** The decision that the first worker makes: whether each worker has a copy of the weights, or some layers. */
export interface SplitRequest {
  /** `"layers"` splits the model in any case. */
  readonly mode: "auto" | "layers";
  /** Max number of workers. */
  readonly workers: number;
  /** Max memory of all workers together. */
  readonly maxBytes?: number | undefined;
}

/** The pipeline stages of a model. */
export interface PipelinePlan {
  readonly split: "layers";
  /** The first steps of the second stage and the following ones. */
  readonly splitPoints: readonly number[];
  /** Number of rows at the start of each pair that pooling leaves out. */
  readonly unpooledRows: number;
  /** Predicted peak memory of all stages together. */
  readonly bytes: number;
}

/** How the workers hold the model. */
export type SplitPlan = PipelinePlan | { readonly split: "copies"; readonly workers: number };

/** A stage of a model after the first. */
export interface StageSettings {
  /** The stage's number; the first stage has 0. */
  readonly number: number;
  readonly plan: PipelinePlan;
}

/**
 * Chooses between copies and layers.
 * @param split the answer of the engine: predicted memory of the whole model and of all stages, unpooled rows, split points
 * @throws RankletError `out-of-memory` if layers are requested and need too much memory
 */
export function chooseSplit(split: ArrayLike<number>, { mode, workers, maxBytes }: SplitRequest): SplitPlan {
  const [whole = 0, bytes = 0, unpooledRows = 0, ...splitPoints] = Array.from(split);
  const layers: SplitPlan = { split: "layers", splitPoints, unpooledRows, bytes };
  const fits = bytes <= (maxBytes ?? Infinity);
  if (mode === "layers" && splitPoints.length > 0) {
    if (fits) return layers;
    throw new RankletError(
      "out-of-memory",
      `this model would take about ${megabytes(bytes)} MB of memory in ${splitPoints.length + 1} workers together; the limit is ${megabytes(maxBytes ?? 0)} MB: choose fewer workers, a smaller maximum length or another model`,
    );
  }
  const copies = copiesFor(whole, workers, maxBytes);
  if (mode === "auto" && copies > 1) return { split: "copies", workers: copies };
  const isWorthwhile = mode === "auto" && splitPoints.length > 0 && fits && bytes <= maxPipelineRatio * whole;
  return isWorthwhile ? layers : { split: "copies", workers: 1 };
}

/** Returns the number of workers that each have a copy of a model with a predicted memory of `whole` bytes. */
export function copiesFor(whole: number, workers: number, maxBytes: number | undefined): number {
  if (maxBytes === undefined) return whole > maxCopyBytes ? 1 : workers;
  return Math.max(1, Math.min(workers, Math.floor(maxBytes / whole)));
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
