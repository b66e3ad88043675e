/** The bytes of one file of a model, or the URL to read them from. */
export type FileContent = Uint8Array | ArrayBuffer | Blob | URL;

/**
 * The files of a model by name. `config.json`, `tokenizer.json` and the weights are needed;
 * `tokenizer_config.json` (without `added_tokens_decoder`, also `special_tokens_map.json` and `added_tokens.json`),
 * `config_sentence_transformers.json`, `sentence_bert_config.json` and `modules.json` are read where given. Other names are left alone, as they are in a folder. The modules that `modules.json` lists behind
 * the encoder have files in folders of their own, which are named with them: `2_Dense/config.json`.
 *
 * Weights are `model.safetensors`, `model.safetensors.index.json` with the files it names, `pytorch_model.bin` or
 * `pytorch_model.bin.index.json` with the files it names: the first of these that is there, as in transformers. Of
 * torch's files nothing is run, and those written before torch 1.6 are `unsupported`.
 */
export type ModelFileSet = Readonly<Record<string, FileContent>>;

/**
 * Where a model comes from: a Hub, a folder or its files.
 *
 * A string `org/name` is the id of a model on the Hugging Face Hub, or on the server that `baseUrl` names; also in Node,
 * where a folder of that name is `./org/name`.
 *
 * A folder is a `URL`, or a string that starts with `https://`, `http://` or `file:///`. A string that starts with
 * `/`, `./` or `../` is a directory in Node and a path relative to the page in browsers.
 */
export type ModelSource = string | URL | ModelFileSet;

/** How far the download of one file is, in bytes. */
export interface DownloadProgress {
  readonly stage: "download";
  /** The file's name in its folder, such as `model.safetensors`. */
  readonly file: string;
  readonly loaded: number;
  /** `undefined` where the server does not say. A missing file that was asked for, and that need not be there, has 0 of 0. */
  readonly total: number | undefined;
  /** All files together; `total` is `undefined` until the length of each is known. At the end both are equal. */
  readonly overall: { readonly loaded: number; readonly total: number | undefined };
}

/** How far one call is, in documents (in pairs for `score`). */
export interface ScoreProgress {
  readonly stage: "score";
  readonly done: number;
  readonly total: number;
}

/** How far the preparation of a collection is, in documents. */
export interface PrepareProgress {
  readonly stage: "prepare";
  readonly done: number;
  readonly total: number;
}

export interface LoadOptions {
  /**
   * What computes. `"auto"`, the default, measures GPU and CPU with this model where the browser has WebGPU, and keeps the
   * faster one; should the GPU fail later, the CPU takes over, calls under way begin again, and `backend` says so.
   * `"webgpu"` insists: what the GPU cannot do is an error. A GPU is held against known scores at load and is not used
   * where it does not give them (`info.backend.verification`).
   */
  readonly device?: "auto" | "webgpu" | "cpu" | undefined;
  /**
   * How weights are held: as the checkpoint has them (`"auto"`, the default), in 32-bit floats, or in 8 bits. `"q4"` is how
   * files are stored that `ranklet quantize` has made small: they are unpacked to 8 bits. Other files are not taken as such.
   * `"f16"` is for `device: "webgpu"`.
   */
  readonly dtype?: "auto" | "f32" | "f16" | "q8" | "q4" | undefined;
  /**
   * How many workers share the scoring out, up to 64; 0 scores on the calling thread, which is left free between
   * micro-batches. Each worker holds the model's weights. With more than one, a call outlives the loss of one.
   *
   * A GPU has one worker, or with 0 none.
   *
   * `"auto"`, the default, is one a processor and at most 4; one for files of more than 200 MB; 0 where there are no
   * workers (service workers, edge runtimes). It loads until the first worker is ready, and the others join
   * when they are, if they can be started; for a number, loading waits for all and fails where one does.
   */
  readonly workers?: "auto" | number | undefined;
  /** The most tokens of a pair, query, document and special tokens together. Default: what the model was made for. */
  readonly maxLength?: number | undefined;
  /**
   * The most memory that the model may take, of all workers together: one that is predicted to take more is refused with
   * `out-of-memory`, where its size alone shows it before its weights are downloaded. With it, `workers: "auto"` is one.
   */
  readonly maxMemoryBytes?: number | undefined;
  /** For a Hub id: a branch, a tag or a commit. Default `"main"`. All files are of one commit,
   * where the server says which. */
  readonly revision?: string | undefined;
  /**
   * For a Hub id: the server, which has files at `{baseUrl}/{id}/resolve/{revision}/{file}`. In browsers it may be
   * relative to the page. Default `"https://huggingface.co"`.
   */
  readonly baseUrl?: string | undefined;
  /** For a Hub id: an access token for private and gated models. It is sent to `baseUrl`'s origin alone. */
  readonly token?: string | undefined;
  /**
   * Whether downloaded files are kept for the next time. A model is kept once it has been loaded, whole, and is then
   * loaded without any request: a branch stays at the commit it had (name a commit as `revision` for another one).
   * If it cannot be kept, `info.warnings` says so.
   *
   * Default: `true` for a Hub id, `false` for a folder's URL, whose files may change. A string says where: in browsers
   * the name of a Cache, `"ranklet-models-v1"` by default; in Node a folder, by default `RANKLET_CACHE` of the
   * environment or else "ranklet" among the user's caches. `false` neither reads nor writes. Edge runtimes and pages
   * without https keep nothing: there, asking for it is `unsupported`.
   */
  readonly cache?: boolean | string | undefined;
  /** Ends the loading with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Told about each file as it is read. What it throws rejects the call. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * What a score is: `"model"` applies the model's own activation, `"raw"` none (the logit), `"sigmoid"` a sigmoid
 * whatever the model says.
 */
export type Scores = "model" | "raw" | "sigmoid";

/** What everything that scores understands. */
export interface ScoringOptions {
  /** Default `"model"`. */
  readonly scores?: Scores | undefined;
  /** Ends the call, after at most one micro-batch, with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
}

/** What calls with one answer understand. */
export interface CallOptions extends ScoringOptions {
  /** Told after each micro-batch. What it throws rejects the call. */
  readonly onProgress?: ((progress: ScoreProgress) => void) | undefined;
}

/**
 * A document: its text, or an object with a `text` or with the fields that `rankFields` names. `object`, and not a
 * record, for interfaces and classes are no records to TypeScript.
 */
export type DocumentInput = string | object;

/** What happens to documents that do not fit beside the query. */
export type LongDocuments = "truncate" | "chunk";

/** How documents become what is scored. */
export interface DocumentOptions {
  /**
   * The fields of each document that are scored, as lines `field: value` in this order. A field must be a string, a
   * number or a boolean in every document. Default: the document's `text` alone.
   */
  readonly rankFields?: readonly string[] | undefined;
  /**
   * What happens to a document that does not fit. `"truncate"`, the default, cuts its end. `"chunk"` scores it in chunks
   * that overlap; the best one's score is the document's, and the result's `span` says where that chunk is.
   */
  readonly longDocuments?: LongDocuments | undefined;
  /**
   * The most tokens of one document, 1 or more; the rest is cut, before there are chunks. Default: as many as the pair has
   * room for, or with `longDocuments: "chunk"` all.
   */
  readonly maxTokensPerDocument?: number | undefined;
}

export interface RerankOptions<D extends DocumentInput = DocumentInput> extends CallOptions, DocumentOptions {
  readonly query: string;
  readonly documents: readonly D[];
  /** The most results to return, 1 or more. Default: all. */
  readonly topN?: number | undefined;
  /** Whether each result carries the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

export interface StreamOptions<D extends DocumentInput = DocumentInput> extends ScoringOptions, DocumentOptions {
  readonly query: string;
  /** An array, or anything that can be iterated; it is read as far as it has been scored, and a little ahead. */
  readonly documents: Iterable<D>;
  /** Whether each result carries the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

export interface PrepareOptions extends DocumentOptions {
  /** Ends the preparation with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Told now and then. What it throws rejects the call. */
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

export interface CollectionRankOptions extends ScoringOptions {
  /** The most results to give, 1 or more. Default: all. */
  readonly topN?: number | undefined;
  /**
   * The documents to score, as their places in the collection: what a first stage has found. Equal scores keep this
   * order. Default: all documents.
   */
  readonly candidates?: readonly number[] | Uint32Array | undefined;
  /** Whether each result carries the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
  /**
   * Whether this call ends earlier ones that were `latest` too, with an `aborted` error: search as one types.
   * Default `false`.
   */
  readonly latest?: boolean | undefined;
}

export interface RankOptions extends CallOptions {
  /** The most results to return, 1 or more. Default: all. */
  readonly topK?: number | undefined;
  /** Whether each result carries the document's text. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

/**
 * A part of the text that was scored, as `text.slice(start, end)` has it: of the string, of the object's `text`, or with
 * `rankFields` of their lines.
 */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface RerankResult<D extends DocumentInput = DocumentInput> {
  /** The document's place in `documents`. */
  readonly index: number;
  readonly score: number;
  /** With `longDocuments: "chunk"`: what earned the score. */
  readonly span?: Span;
  /** The document as it was given, with `returnDocuments`. */
  readonly document?: D;
}

export interface RerankResponse<D extends DocumentInput = DocumentInput> {
  /** Best first; equal scores keep the order of the documents. */
  readonly results: RerankResult<D>[];
  readonly usage: {
    /** Tokens that went through the model, of all pairs together. */
    readonly tokens: number;
    readonly documents: number;
  };
  readonly backend: Backend;
  readonly timings: {
    /** From call to answer, in milliseconds. */
    readonly totalMs: number;
    /**
     * The time spent in the engine, in milliseconds. In one worker it is a part of `totalMs`, whose rest was left to
     * other calls; of several workers it is the sum, and may be more.
     */
    readonly engineMs: number;
  };
}

/**
 * Documents of a stream that have been scored. Where the GPU fails and the CPU takes over, a stream over an array begins
 * again: `done` falls back, and the documents come once more. One over another iterable cannot, and ends with `device-lost`.
 */
export interface StreamPart<D extends DocumentInput = DocumentInput> {
  /** Each has its document's index; with several workers they come in no order. */
  readonly results: RerankResult<D>[];
  /** Documents scored so far. */
  readonly done: number;
  /** Documents in all; `undefined` where `documents` does not say. */
  readonly total: number | undefined;
}

/** A ranking of a collection, as far as it has come. */
export interface CollectionRanking<D extends DocumentInput = DocumentInput> extends RerankResponse<D> {
  /** Documents scored so far. */
  readonly done: number;
  /** Documents to score in all; the ranking is final when `done` has reached it. */
  readonly total: number;
}

/** Documents that were tokenised once, for many queries. Made by `Reranker.prepare`. */
export interface Collection<D extends DocumentInput = DocumentInput> {
  /** Number of documents. */
  readonly size: number;
  /**
   * Ranks the documents by how well they answer a query, and gives the best so far as scoring goes on. The last
   * ranking is the final one. Leaving the loop ends the work.
   * @throws RankletError `input` at once; while iterating `aborted`, `disposed`, or the engine's
   */
  rank(query: string, options?: CollectionRankOptions): AsyncGenerator<CollectionRanking<D>, void>;
  /** Frees the collection. May be called twice. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** One row of `rank`, named as sentence-transformers' `CrossEncoder.rank` names it. */
export interface RankResult {
  readonly corpus_id: number;
  readonly score: number;
  /** The document's text, with `returnDocuments`. */
  readonly text?: string;
}

/** What computes the scores. It stays the same for a reranker's whole life. */
export interface Backend {
  readonly device: "webgpu" | "cpu";
  /** `"webgpu"`, or the instructions of the CPU's kernels. */
  readonly engine: string;
  /** The GPU, where it is one. */
  readonly adapter?: string;
  readonly dtype: string;
  /** Why this device and dtype were chosen. */
  readonly reason: string;
  /** What a GPU was held against at load, chosen or not. */
  readonly verification?: Verification;
  /** How many workers share the scoring out; with `workers: "auto"` at most so many. 0 is the calling thread. */
  readonly workers: number;
}

/** Logits of a GPU beside those that are right. */
export interface Verification {
  readonly adapter: string;
  /** Where the right ones come from: `"the model file"` or `"the CPU engine"`. */
  readonly reference: string;
  /** How far a logit may be from the right one, whose magnitude is at least taken to be 1. */
  readonly tolerance: number;
  readonly pairs: readonly { readonly query: string; readonly document: string; readonly expected: readonly number[]; readonly logits: readonly number[] }[];
}

/** What was loaded. */
export interface ModelInfo {
  readonly modelType: string;
  readonly architecture: string;
  /** Scores per pair. `rerank` and `rank` need exactly one. */
  readonly numLabels: number;
  /** The function between logit and score under `scores: "model"`. */
  readonly activation: string;
  /** The most tokens of a pair. */
  readonly maxLength: number;
  /** How many numbers the model has learnt. */
  readonly parameters: number;
  readonly hiddenSize: number;
  readonly layers: number;
  /** The weights as the checkpoint holds them (`"safetensors"`, `"pytorch"`, `"q8"` or `"q4"`), with their size in bytes. */
  readonly weights: { readonly format: string; readonly bytes: number };
  /**
   * The most memory that loading and scoring should take, predicted from sizes: what `maxMemoryBytes` is compared with.
   * Each worker takes as much.
   */
  readonly memoryBytes: number;
  readonly backend: Backend;
  /** What is odd about the checkpoint, or went wrong with the cache, though the model is loaded. */
  readonly warnings: readonly string[];
}
