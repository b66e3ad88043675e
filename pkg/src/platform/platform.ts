import type { Store } from "./store.js";
import type { ModelFileSet } from "../types.js";
import type { WorkerPort } from "../worker/port.js";

/** What differs between the places that JavaScript runs in. One file beside this one for each. */
export interface Platform {
  /**
   * The engine, compiled.
   * @throws RankletError `network` where it has to be downloaded and cannot be; anything else: it cannot be compiled
   */
  engineModule(): Promise<WebAssembly.Module>;
  /** Starts a worker; `undefined` where there are none. */
  readonly startWorker: (() => WorkerPort) | undefined;
  /** Whether there is WebGPU to ask for a GPU. */
  hasGpu(): boolean;
  /** How many workers compute at the same time here. */
  cpuCount(): number;
  /**
   * The embedded default model.
   * @throws RankletError `unsupported` where only the application can bring it
   */
  defaultModel(): ModelFileSet;
  /**
   * The URL of the folder that a path (`/…`, `./…`, `../…`) means here.
   * @throws RankletError `unsupported` where paths mean nothing
   */
  folderUrl(path: string): URL;
  /**
   * The bytes behind a `file:` URL; `undefined` where there is no such file.
   * @throws RankletError `unsupported` where files cannot be read
   */
  readFile(url: URL, signal: AbortSignal): Promise<Blob | undefined>;
  /** What a relative URL is relative to; `undefined` where it means nothing. */
  pageUrl(): string | undefined;
  /**
   * Where a cache keeps the files of `model`, which is their URL.
   * @param name the cache, as the option `cache` of `load` names it; `undefined` for the usual one
   * @returns `undefined` where nothing can be kept
   */
  store(name: string | undefined, model: string): Store | undefined;
  /** Resolves in a later task, after the events that wait now. */
  nextTask(): Promise<void>;
}
