import type { EmbeddedModel } from "../model/embedded-models.js";
import type { OpenTabLink } from "../shared/tabs/tabs.js";
import type { ModelFileSet } from "../types.js";
import type { Sha256 } from "../util/sha256.js";
import type { WorkerPort } from "../worker/port.js";
import type { HubEnvironment } from "./hub-environment.js";
import type { ModelStores } from "./store.js";

/** The files of a model in the file system. */
export interface ListedFolder {
  /** The folder that has them. */
  readonly folder: URL;
  /** Their paths in the folder. `undefined` for a folder with too many files to list. */
  readonly files: ReadonlySet<string> | undefined;
}

/** The differences between runtimes. Each runtime has a file in this folder. */
export interface Platform {
  /**
   * Called at the beginning of `load`.
   * @throws RankletError `unsupported` if the runtime cannot load anything at this time
   */
  checkScope(): void;
  /**
   * Locates the engine: compiled, or the URL of its file.
   * @throws RankletError `unsupported` if the application has to give it
   */
  engine(): WebAssembly.Module | URL;
  /** The runtime's requirement for compiling the engine, for the end of an error. */
  readonly engineNeeds: string;
  /** Starts a worker; `undefined` if the runtime has none. */
  readonly startWorker: (() => WorkerPort) | undefined;
  /** Connects a tab to the shared worker that holds a model for all tabs; `undefined` if the runtime has none. */
  readonly openTabLink?: OpenTabLink | undefined;
  /** Whether the runtime has WebGPU. It may still have no GPU. */
  hasGpu(): boolean;
  /** Number of CPU cores, or as many as the runtime lets workers use. */
  cpuCount(): number;
  /**
   * Locates an embedded model if the application has not imported its entry point, such as `ranklet/default-model`.
   * @throws RankletError `unsupported` if the application has to import it
   */
  embeddedModel(name: EmbeddedModel): ModelFileSet;
  /** Advice for the end of an error if a file of the package is not where it is looked for. */
  readonly missingFileAdvice: string;
  /** Returns what the environment of the process says about Hubs; `undefined` if the runtime has no environment. */
  hubEnvironment(): HubEnvironment | undefined;
  /** Whether a text is a path here, although it does not start with `/`, `./` or `../`. */
  isNativePath(text: string): boolean;
  /**
   * Returns the URL of the folder at a path: `/…`, `./…`, `../…`, or one that `isNativePath` accepts.
   * @param hasFetch whether the caller gave the option `fetch`, which can answer requests for any host
   * @throws RankletError `unsupported` if the runtime has no paths
   */
  folderUrl(path: string, hasFetch: boolean): URL;
  /**
   * Reads a `file:` URL. Returns `undefined` if there is no such file.
   * @throws RankletError `unsupported` if the runtime cannot read files
   */
  readFile(url: URL, signal?: AbortSignal): Promise<Blob | undefined>;
  /** Reads a Blob of the caller, if the runtime cannot send each Blob to a worker. */
  readBlob?(blob: Blob): Promise<Blob>;
  /**
   * Lists the files of a model in a folder with a `file:` URL. Returns `undefined` if the runtime cannot tell.
   * @throws RankletError `input` for a path that is not a model's folder
   */
  listFolder(folder: URL): ListedFolder | undefined;
  /** Whether a file or folder exists at a relative path that has the form of a Hub id. */
  hasPath(id: string): boolean;
  /** Returns the base of relative URLs, or `undefined` if there is none. */
  pageUrl(): string | undefined;
  /**
   * Returns the stores of a cache, or `undefined` if the runtime cannot store files.
   * @param name the cache's name or folder, as in the option `cache` of `load`; `undefined` for the default
   */
  stores(name: string | undefined): ModelStores | undefined;
  /** Why `stores` returns `undefined`, and what to do. */
  readonly noStore: string;
  /**
   * Whether requests follow the rules of CORS: the headers of redirects are hidden, and a server of another origin is asked
   * before it gets unusual headers.
   */
  readonly hasCors: boolean;
  /** Starts the computation of a SHA-256. */
  newSha256(): Sha256;
  /** Resolves in a later task, after the events that are queued now. */
  nextTask(): Promise<void>;
}
