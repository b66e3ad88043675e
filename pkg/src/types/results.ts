import type { DocumentInput } from "./documents.js";
import type { Backend } from "./model.js";

/**
 * A part of the scored text, `text.slice(start, end)`. The text is the string, the object's text, or with `rankFields` or
 * `structured` the fields as they are scored. `documentTexts` returns it.
 */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A sentence of a document. */
export interface Highlight extends Span {
  /** The score that the sentence has as a document of its own. */
  readonly score: number;
}

/** The score of a document, and what the options ask for beside it. */
export interface RerankResult<D extends DocumentInput = DocumentInput> {
  /** The document's index in `documents`. */
  readonly index: number;
  /** With `fuse`: the fused score. */
  readonly score: number;
  /** With `fuse`: the score of the model alone. */
  readonly modelScore?: number;
  /** With `longDocuments: "chunk"`: the chunk with the best score. */
  readonly span?: Span;
  /**
   * With `highlights`: the best sentences, best first. A document that ended before its sentences were scored, because of
   * `deadlineMs`, has none.
   */
  readonly highlights?: readonly Highlight[];
  /** With `returnDocuments`: the document itself. */
  readonly document?: D;
}

/** A result of a call with `returnDocuments: true`. */
export type RerankResultWithDocument<D extends DocumentInput = DocumentInput> = RerankResult<D> & { readonly document: D };

/** The ranking that `rerank` returns. `R` is the type of its option `returnDocuments`. */
export interface RerankResponse<D extends DocumentInput = DocumentInput, out R extends boolean | undefined = boolean | undefined> {
  /** Best first. Equal scores keep the order of the documents. */
  readonly results: ([R] extends [true] ? RerankResultWithDocument<D> : RerankResult<D>)[];
  /** The indices in order of the documents that were not scored by the deadline. Empty for a call that was not ended by `deadlineMs`. */
  readonly unscored: readonly number[];
  readonly usage: {
    /** Number of tokens that the model has processed, in all pairs together. Pairs whose score was known have none. */
    readonly tokens: number;
    /** Number of documents of the call; in a collection's ranking, of those scored so far. */
    readonly documents: number;
  };
  readonly backend: Backend;
  readonly timings: {
    /** Milliseconds from the call to the response. */
    readonly totalMs: number;
    /**
     * Milliseconds spent in the engine, summed over all workers, so it may exceed `totalMs`. With one worker it is less,
     * because other calls and tasks run in between.
     */
    readonly engineMs: number;
    /** Number of pairs that this call did not score, because `scoreCache` had their score or another call was scoring them. */
    readonly cacheHits: number;
  };
}

/**
 * Scored documents of a stream. If the GPU fails and the CPU takes over, a stream over an array starts over: `done` restarts
 * from 0, and all documents are yielded again. A stream over another iterable ends with `device-lost`. `R` is the type of the
 * option `returnDocuments`.
 */
export interface StreamPart<D extends DocumentInput = DocumentInput, out R extends boolean | undefined = boolean | undefined> {
  /** Results with the index of their document. With several workers they are in any order. */
  readonly results: ([R] extends [true] ? RerankResultWithDocument<D> : RerankResult<D>)[];
  /** Number of documents scored so far. */
  readonly done: number;
  /** Number of documents; `undefined` if `documents` is not an array. */
  readonly total: number | undefined;
}

/** One result of `rank`, with the names of sentence-transformers' `CrossEncoder.rank`. */
export interface RankResult {
  readonly corpus_id: number;
  readonly score: number;
  /** With `returnDocuments`: the document's text. */
  readonly text?: string;
}

/** A result of `rank` with `returnDocuments: true`. */
export type RankResultWithText = RankResult & { readonly text: string };
