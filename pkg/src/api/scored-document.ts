import type { Highlight, Span } from "../types.js";

/** A document's index and score, and the span of its best chunk if it was scored in chunks. */
export interface ScoredDocument {
  readonly index: number;
  readonly score: number;
  /** The model's score, if `score` is fused. */
  readonly modelScore?: number;
  readonly span?: Span;
  readonly highlights?: readonly Highlight[];
}
