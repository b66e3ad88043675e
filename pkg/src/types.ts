export type * from "./types/explain.js";
export type * from "./types/load.js";

/** Progress of a call, in documents (in pairs for `score`). */
export interface ScoreProgress {
  readonly stage: "score";
  readonly done: number;
  readonly total: number;
}

/** Progress of preparing a collection, in documents. */
export interface PrepareProgress {
  readonly stage: "prepare";
  readonly done: number;
  readonly total: number;
}

/**
 * The activation of scores: `"model"` applies the model's own, `"raw"` none (the score is the logit), `"sigmoid"` always a
 * sigmoid. `"probability"` is the probability that the document is relevant, of a model that `ranklet calibrate` wrote; it is
 * `unsupported` for others.
 */
export type Scores = "model" | "raw" | "sigmoid" | "probability";

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

/**
 * A document: its text, or an object with a text or with the fields in `rankFields`. The text of an object is the first of
 * `text`, `pageContent`, `page_content`, `content`, `contents`, `body`, `passage`, `snippet` and `title` that is a string. The
 * type is `object` because TypeScript does not assign interfaces and classes to a record.
 */
export type DocumentInput = string | object;

/** How to score documents that do not fit into a pair with the query. */
export type LongDocuments = "truncate" | "chunk";

/** How to write a document with fields: as YAML, or as a line `path: value` for each of its values. */
export type StructuredText = "yaml" | "lines";

/** Options for the text of documents. */
export interface DocumentOptions {
  /**
   * The fields of each document that are scored: the value of one field as it is, several as lines `field: value` in this
   * order. A field is a name, or a path with dots through objects and arrays, such as `"author.name"`. A value is a string, a
   * number, a boolean, a `Date`, or an array of these, which is joined with ", "; with `structured` also an object. A document
   * that lacks a field, or has `null` there, is scored by its other fields. Default: only the document's text.
   */
  readonly rankFields?: readonly string[] | undefined;
  /**
   * Writes the fields in `rankFields`, or without it the whole document, in one of these forms: `"yaml"` as PyYAML does,
   * `"lines"` as lines such as `author.name: Ann`. A document that is a string stays as it is. Default: see `rankFields`.
   */
  readonly structured?: StructuredText | undefined;
  /**
   * How to score a document that does not fit. `"truncate"`, the default, cuts off its end. `"chunk"` scores it in overlapping
   * chunks: the best chunk's score is the document's, and `span` of the result is that chunk.
   */
  readonly longDocuments?: LongDocuments | undefined;
  /**
   * Max tokens of a document, at least 1. The rest is cut off, before it is split into chunks. Default: as many as fit into the
   * pair, or all with `longDocuments: "chunk"`.
   */
  readonly maxTokensPerDocument?: number | undefined;
}

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

/** Options of `rerank`. */
export interface RerankOptions<D extends DocumentInput = DocumentInput> extends CallOptions, DocumentOptions, ResultOptions {
  /** The text that the documents are to answer, such as a question or keywords. */
  readonly query: string;
  /** The documents to rank, as texts or objects. */
  readonly documents: readonly D[];
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

/** Options of `stream`. */
export interface StreamOptions<D extends DocumentInput = DocumentInput> extends ScoringOptions, DocumentOptions {
  /** The text that the documents are to answer, such as a question or keywords. */
  readonly query: string;
  /** An array or another iterable. It is read a little ahead of scoring. */
  readonly documents: Iterable<D>;
  /** Leaves out results with a lower score than this. Default: none is left out. */
  readonly minScore?: number | undefined;
  /** As for `rerank`. Default: none. */
  readonly highlights?: number | undefined;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

/** Options of `prepare`. */
export interface PrepareOptions extends DocumentOptions {
  /** Aborts the preparation with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the progress after each window of documents. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

/** Options of a collection's `rank`. */
export interface CollectionRankOptions extends ScoringOptions, ResultOptions {
  /**
   * The documents to score, as indices in the collection: for example those that a first stage has retrieved. Equal scores keep
   * this order. Default: all documents.
   */
  readonly candidates?: readonly number[] | Uint32Array | undefined;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
  /**
   * Whether this call aborts earlier calls with `latest`, with an `aborted` error. Use it for search as you type. Default
   * `false`.
   */
  readonly latest?: boolean | undefined;
}

/** Options of `rank`. */
export interface RankOptions extends CallOptions {
  /** Max number of results, at least 1. Default: all. */
  readonly topK?: number | undefined;
  /** Leaves out results with a lower score than this. Default: none is left out. */
  readonly minScore?: number | undefined;
  /** Whether each result includes the document's text. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

/**
 * A part of the scored text, `text.slice(start, end)`. The text is the string, the object's text, or with `rankFields` or
 * `structured` the fields as they are scored.
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

/** The ranking that `rerank` returns. */
export interface RerankResponse<D extends DocumentInput = DocumentInput> {
  /** Best first. Equal scores keep the order of the documents. */
  readonly results: RerankResult<D>[];
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
 * from 0, and all documents are yielded again. A stream over another iterable ends with `device-lost`.
 */
export interface StreamPart<D extends DocumentInput = DocumentInput> {
  /** Results with the index of their document. With several workers they are in any order. */
  readonly results: RerankResult<D>[];
  /** Number of documents scored so far. */
  readonly done: number;
  /** Number of documents; `undefined` if `documents` is not an array. */
  readonly total: number | undefined;
}

/** A ranking of the documents of a collection that have been scored so far. */
export interface CollectionRanking<D extends DocumentInput = DocumentInput> extends RerankResponse<D> {
  /** Number of documents scored so far. */
  readonly done: number;
  /** Number of documents to score. The ranking is final when `done` equals it. */
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
  rank(query: string, options?: CollectionRankOptions): AsyncGenerator<CollectionRanking<D>, void>;
  /** Frees the collection. May be called more than once. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** One result of `rank`, with the names of sentence-transformers' `CrossEncoder.rank`. */
export interface RankResult {
  readonly corpus_id: number;
  readonly score: number;
  /** With `returnDocuments`: the document's text. */
  readonly text?: string;
}

/** The engine that computes the scores. It changes only if a GPU fails and the CPU takes over. */
export interface Backend {
  readonly device: "webgpu" | "cpu";
  /** `"webgpu"`, or the instruction set of the CPU's kernels. */
  readonly engine: string;
  /** The GPU's name, if the device is a GPU. */
  readonly adapter?: string;
  /** The kernels chosen for it. */
  readonly kernels?: string;
  readonly dtype: string;
  /** The reason for this device and dtype. */
  readonly reason: string;
  /** The comparison of a GPU with known scores when the model was loaded, whether the GPU is used or not. */
  readonly verification?: Verification;
  /**
   * Only for `Reranker.shared`: `"tabs"` if all tabs of this origin may share the engine, `"page"` if only rerankers on this
   * thread may.
   */
  readonly shared?: "tabs" | "page";
  /** Number of workers; with `workers: "auto"` the max number. 0 is the calling thread. */
  readonly workers: number;
  /** What each of several workers holds: a copy of the weights, or some layers of the model. */
  readonly split?: "copies" | "layers";
}

/** Logits of a GPU and the expected ones. */
export interface Verification {
  readonly adapter: string;
  /** The origin of the expected logits: `"the model file"` or `"the CPU engine"`. */
  readonly reference: string;
  /** Max relative difference of a logit from the expected one; the difference is absolute for magnitudes below 1. */
  readonly tolerance: number;
  readonly pairs: readonly {
    readonly query: string;
    readonly document: string;
    readonly expected: readonly number[];
    readonly logits: readonly number[];
  }[];
}

/** A loaded model. */
export interface ModelInfo {
  /** The checkpoint's `model_type`, such as `"bert"`. */
  readonly modelType: string;
  /** The class that transformers would load, such as `"BertForSequenceClassification"`. */
  readonly architecture: string;
  /** Number of scores per pair. `rerank`, `stream`, `rank` and `prepare` need exactly one. */
  readonly numLabels: number;
  /** The function that `scores: "model"` applies to logits. */
  readonly activation: string;
  /** Whether the model has probabilities, that is, `scores: "probability"`. */
  readonly calibrated: boolean;
  /** Only of a calibrated model: its probability is `sigmoid(scale * logit + offset)`. */
  readonly calibration?: { readonly scale: number; readonly offset: number };
  /** Max tokens of a pair. */
  readonly maxLength: number;
  /** Number of parameters. */
  readonly parameters: number;
  /** Width of the hidden states. */
  readonly hiddenSize: number;
  /** Number of layers. */
  readonly layers: number;
  /** The format of the checkpoint's weights (`"safetensors"`, `"pytorch"`, `"onnx"`, `"q8"` or `"q4"`), and their size in bytes. */
  readonly weights: { readonly format: string; readonly bytes: number };
  /**
   * The predicted peak memory of loading and scoring, in bytes per worker; if the layers are split over workers, of all
   * workers together. `maxMemoryBytes` limits it.
   */
  readonly memoryBytes: number;
  readonly backend: Backend;
  /** Oddities of the checkpoint, and problems with the cache, workers or permissions, that did not prevent loading. */
  readonly warnings: readonly string[];
}
