import type { Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";

/** A model that is ready. */
export interface Loaded {
  readonly scorer: Scorer;
  /** What the engine says of the model, and what is to be said of its loading. */
  readonly info: ModelInfo;
}
