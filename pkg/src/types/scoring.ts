/**
 * The activation of scores: `"model"` applies the model's own, `"raw"` none (the score is the logit), `"sigmoid"` always a
 * sigmoid. `"probability"` is the probability that the document is relevant, of a model that `ranklet calibrate` wrote; it is
 * `unsupported` for others.
 */
export type Scores = "model" | "raw" | "sigmoid" | "probability";

/** Progress of a call, in documents (in pairs for `score`). */
export interface ScoreProgress {
  readonly stage: "score";
  readonly done: number;
  readonly total: number;
}

/** Options of all calls that score. */
export interface ScoringOptions {
  /** Default `"model"`. */
  readonly scores?: Scores | undefined;
  /** Aborts the call with an `aborted` error, after one micro-batch at most. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of all calls that score and return one result. */
export interface CallOptions extends ScoringOptions {
  /** Receives the progress after each micro-batch. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined;
}
