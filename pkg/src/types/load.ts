import type { CacheOptions } from "./cache.js";

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
 * after the encoder have files in folders of their own, such as `2_Dense/config.json`. Other names are ignored. Each has a dot,
 * so that the type refuses options of `load`, which are the second argument.
 *
 * Weights are the first of these that exists, as in transformers: `model.safetensors`, `model.safetensors.index.json` with
 * the files that it lists, `pytorch_model.bin`, `pytorch_model.bin.index.json` with the files that it lists, and in the folder
 * `onnx`, then next to `config.json`, one of `model.onnx`, `model_fp16.onnx`, `model_quantized.onnx`, `model_int8.onnx` and
 * `model_uint8.onnx`, with its `model.onnx_data` or `model.onnx.data` if it has one. PyTorch and ONNX files are parsed without
 * running any of their code; PyTorch files from before torch 1.6 are `unsupported`.
 */
export type ModelFileSet = Readonly<Record<`${string}.${string}`, FileContent>>;

/**
 * The location of a model: the package, a Hub, a folder, or its files.
 *
 * `"ranklet/default"` and `"ranklet/small"` are the models of the package, which need no download. In a bundle,
 * `import "ranklet/default-model"` or `import "ranklet/small-model"` brings them.
 *
 * A string `org/name` is the id of a model on the Hugging Face Hub, or on the server `baseUrl`. A local folder of that name
 * is `./org/name`.
 *
 * A folder is a `URL`, or a string that starts with `https://`, `http://` or `file:/`. A string that starts with
 * `/`, `./` or `../` is a directory in Node and a path relative to the page in browsers. In Node on Windows, paths such as
 * `C:\models\reranker`, `C:/models/reranker`, `.\reranker` and `\\server\share\reranker` are directories too.
 */
export type ModelSource = "ranklet/default" | "ranklet/small" | (string & {}) | URL | ModelFileSet;

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

/** A cache of scores. */
export interface ScoreCacheOptions {
  /** Max memory of the cache, in bytes. A score takes about 230. The least recently used are removed first. */
  readonly maxBytes: number;
}

/** Options of `Reranker.load`. */
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
   * The number of workers that score, up to 64. `split` says what each of them holds. With more than one, a call survives the
   * loss of a worker. 0 scores on the calling thread, and lets other tasks run after each micro-batch. A GPU uses one worker,
   * or the calling thread with 0.
   *
   * `"auto"`, the default, is one per CPU core, at most 4; 0 if the runtime has no workers (service workers, edge runtimes).
   * Then loading waits for the first worker, and others with a copy join later if they can be started. For a number, loading
   * waits for all workers and rejects if one cannot be started.
   */
  readonly workers?: "auto" | number | undefined;
  /**
   * The share of each of several workers. `"copies"`: all weights. Workers score different documents. `"layers"`: some layers of
   * the model, so that all workers together hold the weights once. Documents pass from worker to worker. The scores are the same.
   *
   * `"auto"`, the default, is `"copies"` for a given number of workers. With `workers: "auto"`, it is `"layers"` for a model with
   * a predicted memory (`info.memoryBytes`) above 200 MB. `info.backend.split` says which it is.
   */
  readonly split?: "auto" | "copies" | "layers" | undefined;
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
   * `out-of-memory`, before its weights are downloaded if their size is known. With this option, `workers: "auto"` is the number
   * of copies that fit; if that is 1, layers are split if they fit.
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
   * SHA-256 of the model's files by name: `"sha256-"` and base64, or 64 hexadecimal digits. A file with another hash rejects with
   * `integrity`, and a hash without a file with `input`, before an engine sees the files. Files that are not listed are not compared.
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
   * Keeps scores in memory, so that a pair of a query and a document that was scored before is not scored again. Calls that run
   * at the same time score a pair once. Scores do not change. Default: no cache.
   */
  readonly scoreCache?: ScoreCacheOptions | undefined;
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
