import type { DocumentInput, DocumentOptions } from "./documents.js";
import type { ResultOptions, ReturnDocuments } from "./rerank.js";
import type { RerankResponse } from "./results.js";
import type { ScoringOptions } from "./scoring.js";

/** Progress of preparing a collection, in documents. */
export interface PrepareProgress {
  readonly stage: "prepare";
  readonly done: number;
  readonly total: number;
}

/** Options of `prepare`. */
export interface PrepareOptions extends DocumentOptions {
  /** Aborts the preparation with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the progress after each window of documents. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

/** Options of a collection's `rank`. */
export interface CollectionRankOptions<R extends boolean | undefined = boolean | undefined> extends ScoringOptions, ResultOptions {
  /**
   * The indices of the documents to score, for example the hits of a first stage. A repeated index counts once, at its first
   * place; with `fuse` it is an error. Equal scores keep this order. Default: all documents.
   */
  readonly candidates?: readonly number[] | Uint32Array | undefined;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: R;
  /**
   * Whether this call aborts earlier calls with `latest`, with an `aborted` error. Use it for search as you type. Default
   * `false`.
   */
  readonly latest?: boolean | undefined;
}

/** A ranking of the documents of a collection that have been scored so far. */
export interface CollectionRanking<D extends DocumentInput = DocumentInput, out R extends boolean | undefined = boolean | undefined>
  extends RerankResponse<D, R> {
  /** Number of documents scored so far. */
  readonly done: number;
  /** Number of documents to score. The last ranking is the final one; with `highlights`, earlier ones can have all documents too. */
  readonly total: number;
}

/** Documents that are tokenized once, for many queries. Created by `Reranker.prepare`. */
export interface Collection<D extends DocumentInput = DocumentInput> {
  /** Number of documents. */
  readonly size: number;
  /**
   * Ranks the documents by how well they answer a query, and yields the best so far while scoring. The last ranking is final.
   * Leaving the loop ends the call.
   * @throws RankletError `input` at once; while iterating `aborted`, `disposed`, or an error of the engine
   */
  rank<R extends boolean | undefined = boolean | undefined>(
    query: string,
    options?: CollectionRankOptions<R> & ReturnDocuments<R>,
  ): AsyncGenerator<CollectionRanking<D, NoInfer<R>>, void>;
  /** Frees the collection. May be called more than once. */
  dispose(): void;
  [Symbol.dispose](): void;
}
