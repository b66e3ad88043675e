import type { CacheOptions } from "./cache-types.js";

/**
 * The content of one file of a model, or where to read it: a `URL`, or a string as bundlers give it for an imported file. A
 * string is a URL, or a path that starts with `/`, `./` or `../`.
 */
export type FileContent = Uint8Array | ArrayBuffer | Blob | Response | ReadableStream | URL | string;

/** A compiled WebAssembly module. Its type is that of the library for browsers, if the program uses that. */
export type CompiledWasm = typeof globalThis extends { WebAssembly: { Module: { prototype: infer Module } } } ? Module & object : object;

/**
 * The engine, a file of the package's folder `assets`: its content, or where to read it, as for a `FileContent`. Runtimes with
 * relaxed SIMD run `ranklet_relaxed_bg.wasm`, all others `ranklet_bg.wasm`, with the same scores.
 */
export type EngineFile = CompiledWasm | Uint8Array | ArrayBuffer | Response | URL | string;

/** Answers the requests of `load`: a function such as the global `fetch`, or an object that has it as a method. */
export type Fetch = ((url: URL, init?: RequestInit) => Promise<Response>) | { fetch(url: URL, init?: RequestInit): Promise<Response> };

/**
 * The files of a model by name, as in its folder on the Hub. Required are `config.json`, `tokenizer.json` and the weights.
 * Optional are `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`, `chat_template.jinja`,
 * `config_sentence_transformers.json`, `sentence_bert_config.json` and `modules.json`. The modules that `modules.json` lists
 * after the encoder have files in folders of their own, such as `2_Dense/config.json`. Other names are ignored.
 *
 * Weights are the first of these that exists, as in transformers: `model.safetensors`, `model.safetensors.index.json` with
 * the files that it lists, `pytorch_model.bin`, `pytorch_model.bin.index.json` with the files that it lists, and in the folder
 * `onnx`, then next to `config.json`, one of `model.onnx`, `model_fp16.onnx`, `model_quantized.onnx`, `model_int8.onnx` and
 * `model_uint8.onnx`, with its `model.onnx_data` or `model.onnx.data` if it has one. PyTorch and ONNX files are parsed without
 * running any of their code; PyTorch files from before torch 1.6 are `unsupported`.
 */
export type ModelFileSet = Readonly<Record<string, FileContent>>;

/**
 * The location of a model: a Hub, a folder, or its files.
 *
 * A string `org/name` is the id of a model on the Hugging Face Hub, or on the server `baseUrl`. A local folder of that name
 * is `./org/name`.
 *
 * A folder is a `URL`, or a string that starts with `https://`, `http://` or `file:/`. A string that starts with
 * `/`, `./` or `../` is a directory in Node and a path relative to the page in browsers. In Node on Windows, paths such as
 * `C:\models\reranker`, `C:/models/reranker`, `.\reranker` and `\\server\share\reranker` are directories too.
 */
export type ModelSource = string | URL | ModelFileSet;

/** Progress of loading one file, in bytes. */
export interface DownloadProgress {
  readonly stage: "download";
  /** The file's name in the model's folder, such as `model.safetensors`. */
  readonly file: string;
  readonly loaded: number;
  /** `undefined` if the server does not say. An optional file that does not exist has 0 of 0. */
  readonly total: number | undefined;
  /** Sums over all files. `total` is `undefined` until the lengths of all files are known. At the end both are equal. */
  readonly overall: { readonly loaded: number; readonly total: number | undefined };
}

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

export interface LoadOptions {
  /**
   * The device that computes the scores. `"auto"`, the default, times this model on GPU and CPU if the browser has WebGPU, and
   * uses the faster one. If the GPU fails later, the CPU takes over, running calls start over, and `backend` says so.
   * `"webgpu"` uses the GPU or rejects. A GPU is compared with known scores when the model loads, and is not used if it does
   * not reproduce them (`info.backend.verification`).
   */
  readonly device?: "auto" | "webgpu" | "cpu" | undefined;
  /**
   * The format of the weights in memory: that of the checkpoint (`"auto"`, the default), 32-bit floats, or 8 bits. `"q4"` is
   * for files that `ranklet quantize` has written in 4 bits, and unpacks them to 8. `"f16"` needs `device: "webgpu"`.
   */
  readonly dtype?: "auto" | "f32" | "f16" | "q8" | "q4" | undefined;
  /**
   * The number of workers that score, up to 64. Each worker has a copy of the weights. With more than one, a call survives the
   * loss of a worker. 0 scores on the calling thread, and lets other tasks run after each micro-batch. A GPU uses one worker,
   * or the calling thread with 0.
   *
   * `"auto"`, the default, is one per CPU core, at most 4; 1 for a model of more than 200 MB; 0 if the runtime has no workers
   * (service workers, edge runtimes). Then loading waits for the first worker, and the others join later if they can be
   * started. For a number, loading waits for all workers and rejects if one cannot be started.
   */
  readonly workers?: "auto" | number | undefined;
  /**
   * The file of the model with its weights, or their index, such as `"onnx/model_quantized.onnx"`. Default: the first form that
   * exists, in the order that `ModelFileSet` describes. A name that the model does not have is a `weights` error that lists those
   * it has.
   */
  readonly weights?: string | undefined;
  /** Max tokens of a pair: query, document and special tokens together. Default: the model's own maximum. */
  readonly maxLength?: number | undefined;
  /**
   * Max memory of the model in bytes, in all workers together. A model that is predicted to need more is rejected with
   * `out-of-memory`, before its weights are downloaded if their size is known. With this option, `workers: "auto"` is 1.
   */
  readonly maxMemoryBytes?: number | undefined;
  /** For a Hub id: a branch, a tag or a commit. Default `"main"`. All files are read at one commit, if the server names it. */
  readonly revision?: string | undefined;
  /**
   * For a Hub id: the server's URL. It serves files at `{baseUrl}/{id}/resolve/{revision}/{file}`. In browsers it may be
   * relative to the page. Default `"https://huggingface.co"`, or in Node the environment variable `HF_ENDPOINT`.
   */
  readonly baseUrl?: string | undefined;
  /**
   * For a Hub id: an access token for private and gated models. It is sent to the origin of `baseUrl` only. In Node the
   * environment variable `HF_TOKEN` gives one for the default server, or for that of `HF_ENDPOINT`.
   */
  readonly token?: string | undefined;
  /**
   * Whether to keep downloaded files. A model is stored once it has loaded, and loads without any request the next time. So a
   * branch stays at its commit until `refresh` is set or another `revision` is passed. If storing fails, `info.warnings` says so.
   *
   * Default: `true` for a Hub id, `false` for a folder's URL, whose files may change. A string is the place, as `name` of
   * {@link CacheOptions}. `false` neither reads nor writes. Edge runtimes and pages without https have no cache; there, `true`,
   * a string and an object are `unsupported`.
   */
  readonly cache?: boolean | string | CacheOptions | undefined;
  /**
   * SHA-256 of the model's files by name: `"sha256-"` and base64, or 64 hexadecimal digits. A file with another hash, or a hash
   * without a file, rejects with `integrity`, before an engine sees the files. Files that are not listed are not compared.
   */
  readonly integrity?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether to load without any request. A model of a Hub or from a folder's URL must be in the cache then, or loading rejects
   * with `network`. Default `false`; in Node the environment variable `HF_HUB_OFFLINE` sets it for Hub ids.
   */
  readonly localFilesOnly?: boolean | undefined;
  /**
   * The engine, for applications whose bundler does not include the package's files, or puts them elsewhere. The first load
   * of a thread decides which engine it runs. Default: the file of the package that is the fastest in this runtime.
   */
  readonly wasm?: EngineFile | undefined;
  /**
   * Answers the requests for the model and the engine. In Cloudflare Workers, `env.ASSETS` reads static assets, and
   * a path such as `"/model/"` as the model is a folder of them. Default: the global `fetch`.
   */
  readonly fetch?: Fetch | undefined;
  /** Aborts loading with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the progress of each file. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * The activation of scores: `"model"` applies the model's own, `"raw"` none (the score is the logit), `"sigmoid"` always a
 * sigmoid.
 */
export type Scores = "model" | "raw" | "sigmoid";

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

/** Options for the text of documents. */
export interface DocumentOptions {
  /**
   * The fields of each document that are scored: the value of one field as it is, several as lines `field: value` in this
   * order. A value is a string, a number, a boolean, a `Date`, or an array of these, which is joined with ", ". A document
   * that lacks a field, or has `null` there, is scored by its other fields. Default: only the document's text.
   */
  readonly rankFields?: readonly string[] | undefined;
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

export interface RerankOptions<D extends DocumentInput = DocumentInput> extends CallOptions, DocumentOptions {
  readonly query: string;
  readonly documents: readonly D[];
  /** Max number of results, at least 1. Default: all. */
  readonly topN?: number | undefined;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

export interface StreamOptions<D extends DocumentInput = DocumentInput> extends ScoringOptions, DocumentOptions {
  readonly query: string;
  /** An array or another iterable. It is read a little ahead of scoring. */
  readonly documents: Iterable<D>;
  /** Whether each result includes the document itself. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

export interface PrepareOptions extends DocumentOptions {
  /** Aborts the preparation with an `aborted` error. */
  readonly signal?: AbortSignal | undefined;
  /** Receives the progress after each window of documents. An error that it throws rejects the call. */
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined;
}

export interface CollectionRankOptions extends ScoringOptions {
  /** Max number of results, at least 1. Default: all. */
  readonly topN?: number | undefined;
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

export interface RankOptions extends CallOptions {
  /** Max number of results, at least 1. Default: all. */
  readonly topK?: number | undefined;
  /** Whether each result includes the document's text. Default `false`. */
  readonly returnDocuments?: boolean | undefined;
}

/**
 * A part of the scored text, `text.slice(start, end)`. The text is the string, the object's text, or with `rankFields` the
 * fields as they are scored.
 */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface RerankResult<D extends DocumentInput = DocumentInput> {
  /** The document's index in `documents`. */
  readonly index: number;
  readonly score: number;
  /** With `longDocuments: "chunk"`: the chunk with the best score. */
  readonly span?: Span;
  /** With `returnDocuments`: the document itself. */
  readonly document?: D;
}

export interface RerankResponse<D extends DocumentInput = DocumentInput> {
  /** Best first. Equal scores keep the order of the documents. */
  readonly results: RerankResult<D>[];
  readonly usage: {
    /** Number of tokens that the model has processed, in all pairs together. */
    readonly tokens: number;
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
  readonly dtype: string;
  /** The reason for this device and dtype. */
  readonly reason: string;
  /** The comparison of a GPU with known scores when the model was loaded, whether the GPU is used or not. */
  readonly verification?: Verification;
  /** Only for `Reranker.shared`: `"page"` if all rerankers on this thread may share the engine. */
  readonly shared?: "page";
  /** Number of workers; with `workers: "auto"` the max number. 0 is the calling thread. */
  readonly workers: number;
}

/** Logits of a GPU and the expected ones. */
export interface Verification {
  readonly adapter: string;
  /** The origin of the expected logits: `"the model file"` or `"the CPU engine"`. */
  readonly reference: string;
  /** Max relative difference of a logit from the expected one; the difference is absolute for magnitudes below 1. */
  readonly tolerance: number;
  readonly pairs: readonly { readonly query: string; readonly document: string; readonly expected: readonly number[]; readonly logits: readonly number[] }[];
}

/** A loaded model. */
export interface ModelInfo {
  readonly modelType: string;
  readonly architecture: string;
  /** Number of scores per pair. `rerank`, `stream`, `rank` and `prepare` need exactly one. */
  readonly numLabels: number;
  /** The function that `scores: "model"` applies to logits. */
  readonly activation: string;
  /** Max tokens of a pair. */
  readonly maxLength: number;
  /** Number of parameters. */
  readonly parameters: number;
  readonly hiddenSize: number;
  readonly layers: number;
  /** The format of the checkpoint's weights (`"safetensors"`, `"pytorch"`, `"onnx"`, `"q8"` or `"q4"`), and their size in bytes. */
  readonly weights: { readonly format: string; readonly bytes: number };
  /**
   * The predicted peak memory of loading and scoring, in bytes per worker. `maxMemoryBytes` limits it.
   */
  readonly memoryBytes: number;
  readonly backend: Backend;
  /** Oddities of the checkpoint, and problems with the cache, workers or permissions, that did not prevent loading. */
  readonly warnings: readonly string[];
}
