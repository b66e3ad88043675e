import type { LongDocuments, TextOptions } from "./documents.js";
import type { Span } from "./results.js";

/** The units that a text is divided into, as Unicode Standard Annex 29 delimits them. */
export type TextUnit = "word" | "sentence";

/** A text of a pair. */
export type PairText = "query" | "document";

/** The texts of a pair whose units are explained. */
export type ExplainedTexts = "document" | "query" | "both";

/** Options of all calls that explain. With the document options of a ranking, they explain the logits of its results. */
export interface ContributionOptions extends TextOptions {
  /** The units that contributions are computed for. Default `"word"`. */
  readonly unit?: TextUnit | undefined;
  /**
   * Number of random orders to sample for Shapley values, which add up to the difference between `logit` and `base`. With 0, each
   * word is removed from its sentence and added to it alone, and each sentence likewise in its text. Default `0`.
   */
  readonly samples?: number | undefined;
  /**
   * The part of a document that is explained if it does not fit: its beginning, `"truncate"`, or its best chunk, `"chunk"`, which
   * are what `rerank` scores with the same option. Default `"truncate"`.
   */
  readonly longDocuments?: LongDocuments | undefined;
  /** Aborts the call with an `aborted` error, after one micro-batch at most. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `explainCost`. */
export interface ExplainCostOptions extends ContributionOptions {
  /** The texts whose units are explained. Default `"document"`. */
  readonly of?: ExplainedTexts | undefined;
}

/** Options of `explain`. */
export interface ExplainOptions extends ExplainCostOptions {
  /** Receives the explanation before anything is scored, and as it settles. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: ExplainProgress) => void) | undefined;
}

/** Progress of an explanation, in variants of the pair. */
export interface ExplainProgress {
  readonly stage: "explain";
  readonly done: number;
  readonly total: number;
  /** The explanation so far. A number that is not known yet is 0. */
  readonly explanation: Explanation;
}

/** The cost of an explanation. */
export interface ExplainCost {
  /** Number of pairs to score. For a document that is read in several chunks, it is the maximum. */
  readonly variants: number;
}

/** The change of a logit by a unit of its texts. */
export interface Contribution extends Span {
  /** The text that the unit is in. */
  readonly text: PairText;
  /** Below 0 if the logit is higher without the unit. */
  readonly contribution: number;
}

/** The contributions of the units of a pair to its logit. */
export interface Explanation {
  /** The logit of the pair. */
  readonly logit: number;
  /** The logit without any of the units. */
  readonly base: number;
  /** The units of the query, then those of the document, each in the order of its text. */
  readonly units: readonly Contribution[];
  /** Number of pairs that were scored. */
  readonly variants: number;
  /** The sum of the contributions minus `logit - base`: a rounding error with `samples`. */
  readonly additivityError: number;
  /** With `longDocuments: "chunk"`, if the document is read in several chunks: the best one, which the explanation is about. */
  readonly span?: Span;
}

/** Options of `compare`. */
export interface CompareOptions extends ContributionOptions {
  /** Receives the comparison before anything is scored, and as it settles. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: CompareProgress) => void) | undefined;
}

/** Progress of a comparison, in variants of both pairs. */
export interface CompareProgress {
  readonly stage: "compare";
  readonly done: number;
  readonly total: number;
  /** The comparison so far. A number that is not known yet is 0. */
  readonly comparison: Comparison;
}

/** The change of the difference between two logits by a unit. */
export interface ComparedContribution extends Contribution {
  /** The change of `difference`: the contribution of a unit of the first document, minus that of one of the second. */
  readonly lift: number;
}

/** The explanation of one of two compared documents. */
export interface ComparedExplanation extends Explanation {
  readonly units: readonly ComparedContribution[];
}

/** The contributions of the units of two documents to the difference of their logits. */
export interface Comparison {
  /** The logit of the first document minus that of the second. */
  readonly difference: number;
  readonly a: ComparedExplanation;
  readonly b: ComparedExplanation;
}
