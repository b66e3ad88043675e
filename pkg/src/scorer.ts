import type { ModelInfo, ScoreProgress, Scores } from "./types.js";

/** What to score: one query with many documents, or pairs as two columns of one length. */
export type Pairs =
  | { readonly query: string; readonly documents: string[]; readonly maxTokensPerDocument: number | undefined }
  | { readonly queries: string[]; readonly documents: string[] };

/** One call's work. */
export interface Job {
  readonly pairs: Pairs;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: ScoreProgress) => void) | undefined;
}

export interface Scored {
  /** In the order of the pairs; several labels row-major, [pairs, labels]. */
  readonly scores: Float32Array;
  /** Tokens that went through the model. */
  readonly tokens: number;
  /** Time spent in the engine, in milliseconds. */
  readonly engineMs: number;
}

/** What a reranker needs of an engine; no WebAssembly shows through. */
export interface Scorer {
  readonly info: ModelInfo;
  /**
   * Scores a job's pairs.
   * @throws RankletError `aborted`, `disposed`, `input`, or what the engine met
   */
  score(job: Job): Promise<Scored>;
  /** Frees the model; calls under way are rejected with `disposed` before their next micro-batch. */
  dispose(): void;
}
