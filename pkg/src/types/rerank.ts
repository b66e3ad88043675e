import type { DocumentInput, DocumentOptions } from "./documents.js";
import type { CallOptions, ScoringOptions } from "./scoring.js";

/** Combines the ranking of the model with that of a first stage, such as a keyword search. */
export interface FuseOptions {
  /**
   * The first stage's score of each document that is scored, in the same order. Higher is better; `null` if it did not return the
   * document.
   */
  readonly firstStage: readonly (number | null)[];
  /**
   * `"rrf"`, reciprocal rank fusion, adds `1 / (k + rank)` of both rankings, whose first rank is 1. `"linear"` scales the scores
   * of both to 0..1 and adds `weight * model + (1 - weight) * firstStage`.
   */
  readonly method: "rrf" | "linear";
  /** Only for `"rrf"`: 0 or more. Larger values give the first ranks less weight. Default 60. */
  readonly k?: number | undefined;
  /** Only for `"linear"`: the model's share, 0 to 1. Default 0.5. */
  readonly weight?: number | undefined;
}

/** Options of calls that choose and order results. */
export interface ResultOptions {
  /** Max number of results, at least 1. Default: all. */
  readonly topN?: number | undefined;
  /** Leaves out results with a lower score than this. With `fuse`, the score is the model's. Default: none is left out. */
  readonly minScore?: number | undefined;
  /**
   * Ends the call after this number of milliseconds, with a ranking of the documents that are scored by then. `unscored` lists
   * the others. Documents are then scored in order. Default: the call ends when all are scored.
   */
  readonly deadlineMs?: number | undefined;
  /** Orders the results by the model and a first stage together. Default: by the model alone. */
  readonly fuse?: FuseOptions | undefined;
  /**
   * Max number of highlights of each result, at least 1: its sentences with the best scores. Only the sentences of the returned
   * documents are scored. Default: none.
   */
  readonly highlights?: number | undefined;
}

/**
 * What a call with `returnDocuments` of the type `R` needs. `true` is required, not optional: results have their documents by type
 * only if the option is certainly `true`.
 */
export type ReturnDocuments<R> = [R] extends [true] ? { readonly returnDocuments: R } : unknown;

/** Options of `rerank`. */
export interface RerankOptions<D extends DocumentInput = DocumentInput, R extends boolean | undefined = boolean | undefined>
  extends CallOptions,
    DocumentOptions,
    ResultOptions {
  /** The text that the documents are to answer, such as a question or keywords. */
  readonly query: string;
  /** The documents to rank, as texts or objects. */
  readonly documents: readonly D[];
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: R;
}

/** Documents of a stream: an array or another iterable, an asynchronous iterable, or a web stream. */
export type DocumentSource<D extends DocumentInput = DocumentInput> = Iterable<D> | AsyncIterable<D> | ReadableStream<D>;

/** Options of `stream`. */
export interface StreamOptions<D extends DocumentInput = DocumentInput, R extends boolean | undefined = boolean | undefined>
  extends ScoringOptions,
    DocumentOptions {
  /** The text that the documents are to answer, such as a question or keywords. */
  readonly query: string;
  /**
   * The documents to score. A window of them is read ahead of scoring: 256 for each worker, or fewer long ones. The first are
   * scored when a window is full, or the source has ended.
   */
  readonly documents: DocumentSource<D>;
  /** Leaves out results with a lower score than this. Default: none is left out. */
  readonly minScore?: number | undefined;
  /** As for `rerank`. Default: none. */
  readonly highlights?: number | undefined;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: R;
}

/** Options of `rank`. */
export interface RankOptions<R extends boolean | undefined = boolean | undefined> extends CallOptions {
  /** Max number of results, at least 1. Default: all. */
  readonly topK?: number | undefined;
  /** Leaves out results with a lower score than this. Default: none is left out. */
  readonly minScore?: number | undefined;
  /** Whether each result includes the document's text. Default `false`. */
  readonly returnDocuments?: R;
}
