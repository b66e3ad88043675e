import type { ExplainedTexts, LongDocuments, ModelInfo, Scores, Span, TextUnit } from "../types.js";

/** How much of a document is scored. */
export interface DocumentLimits {
  readonly maxTokensPerDocument: number | undefined;
  readonly longDocuments: LongDocuments;
}

/** A pair to explain, and how. */
export interface ExplainedPair {
  readonly query: string;
  readonly document: string;
  readonly unit: TextUnit;
  readonly of: ExplainedTexts;
  readonly samples: number;
  readonly longDocuments: LongDocuments;
  /** The best chunk of a document that is read in several, once it is known. */
  readonly chunk?: Span | undefined;
}

/** The units of a pair, and the variants of the pair whose logits explain it. */
export interface ExplanationPlan {
  /** Number of variants. Variant 0 is the pair, variant 1 lacks all units. */
  readonly variants: number;
  /** Number of chunks to score before the variants, to find the document's best chunk; 0 if it is known. */
  readonly chunks: number;
  /** [units, 3]: 0 for a unit of the query, 1 for one of the document; its start and its end in that text. */
  readonly units: Uint32Array;
  /**
   * [terms, 3]: the index of a unit, a variant, and a variant that lacks this unit too. A unit's contribution is the mean
   * difference of the logits of its terms.
   */
  readonly terms: Uint32Array;
}

/** Pairs to score. Strings are copied to a worker or into WebAssembly, so callers keep jobs small. */
export type Job =
  | {
      readonly kind: "query";
      readonly query: string;
      readonly documents: readonly string[];
      readonly limits: DocumentLimits;
    }
  /** Two lists of equal length. */
  | { readonly kind: "pairs"; readonly queries: readonly string[]; readonly documents: readonly string[] }
  /** Documents of a collection. `candidates` are their indices in it, by default all in order. */
  | {
      readonly kind: "prepared";
      readonly query: string;
      readonly collection: number;
      readonly candidates: Uint32Array | undefined;
    }
  /** Variants of one pair, by their numbers in its plan. */
  | { readonly kind: "variants"; readonly pair: ExplainedPair; readonly variants: Uint32Array };

export type PreparedJob = Extract<Job, { kind: "prepared" }>;

/** The scores of the pairs that one micro-batch has finished. A pair with chunks in several is finished by the last. */
export interface PartialScores {
  /** Row-major [pairs, labels]. */
  readonly scores: Float32Array;
  /** Start and end of each document's best chunk in its text, [pairs, 2], if documents are scored in chunks. */
  readonly spans?: Uint32Array | undefined;
  /** Number of tokens that the model has processed. */
  readonly tokens: number;
  /** Time spent in the engine, in milliseconds. */
  readonly engineMs: number;
  /** Number of pairs whose scores were known; 0 by default. */
  readonly cacheHits?: number;
}

/** How to score a job, and the receiver of its scores. */
export interface JobOptions {
  readonly scores: Scores;
  /** Max time of a micro-batch with several pairs, in milliseconds. The pairs are then scored in order, as far as workers allow it. */
  readonly maxStepMs?: number | undefined;
  readonly signal: AbortSignal | undefined;
  /**
   * Receives the scores of each micro-batch. An error that it throws ends the job and rejects it. `indices` are those of the
   * pairs in the job; without them, the pairs are the next in order.
   */
  readonly onPartial: (partial: PartialScores, indices?: Uint32Array) => void;
}

/** Documents, and how much of each is scored. */
export interface DocumentBatch {
  readonly documents: readonly string[];
  readonly limits: DocumentLimits;
}

/** An engine as a reranker uses it: on this thread, in a worker, or in several. */
export interface Scorer {
  readonly info: ModelInfo;
  /**
   * Scores a job, micro-batch by micro-batch. Concurrent jobs take turns.
   * @throws RankletError `aborted`, `disposed`, `input`, or an error of the engine
   */
  score(job: Job, options: JobOptions): Promise<void>;
  /**
   * Plans the explanation of a pair.
   * @throws RankletError `input` for too many variants, `disposed`, `tokenizer`, or an error of the engine
   */
  plan(pair: ExplainedPair): Promise<ExplanationPlan>;
  /**
   * Finds the sentences of documents that the model reads.
   * @returns for each document the starts and ends of its sentences, [sentences, 2]
   * @throws RankletError `disposed`, `tokenizer`, or an error of the engine
   */
  sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]>;
  /**
   * Tokenizes documents and appends them to a collection. A new number creates one.
   * @throws RankletError `disposed`, `tokenizer`, or an error of the engine
   */
  prepare(collection: number, input: DocumentBatch): Promise<void>;
  /** Frees a collection. */
  release(collection: number): void;
  /** Frees the model. Running jobs are rejected with `disposed`. */
  dispose(): void;
}
