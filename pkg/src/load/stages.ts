// The types that the stages of loading hand on, in order; `load.ts` lists the stages. Between verify and start, the files
// are `ArrivingFiles` of model/arriving-file.ts.
import type { EngineSettings } from "../engine/engine.js";
import type { RankletError } from "../errors.js";
import type { ArrivingFile, ArrivingFiles } from "../model/arriving-file.js";
import type { CacheEntry } from "../model/cache-entry.js";
import type { HubModel } from "../model/hub.js";
import type { ModelFile } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { DownloadProgress, ModelInfo } from "../types.js";
import type { FetchFunction } from "../util/request.js";
import type { CheckedLoadOptions } from "./load-options.js";
import type { MemoryBudget } from "./memory-budget.js";

/** Locate: the arguments of `load`, checked. */
export interface LoadPlan {
  readonly options: CheckedLoadOptions;
  readonly location: ModelLocation;
  /** The reason why requests are forbidden, as errors say it; `undefined` if they are allowed. */
  readonly offline: string | undefined;
}

/** Where a model's files are. */
export type ModelLocation = GivenFiles | LocalFolder | RemoteFolder;

/** Files that the caller passed to `load`. */
export interface GivenFiles {
  readonly kind: "given";
  readonly files: Readonly<Record<string, unknown>>;
  /** Advice for the end of an error if the file at a URL does not exist. */
  readonly missingAdvice?: string;
}

/** A folder in the file system. */
export interface LocalFolder {
  readonly kind: "local";
  readonly folder: URL;
}

/** A folder on a server. */
export interface RemoteFolder {
  readonly kind: "remote";
  readonly folder: URL;
  /** The Hub model that the folder belongs to, if the caller named a Hub id. */
  readonly hub: HubModel | undefined;
}

/** Fetch or read: what a source needs besides its location. */
export interface SourceContext {
  readonly platform: Platform;
  readonly budget: MemoryBudget;
  /** The reason why requests are forbidden, as errors say it; `undefined` if they are allowed. */
  readonly offline: string | undefined;
  /** The entry of the cache that downloads are written into, if the model is cached. */
  readonly entry: CacheEntry | undefined;
  /** The option `fetch`. */
  readonly fetch: FetchFunction | undefined;
  /** Whether workers can read large weights while they are downloaded. */
  readonly arrives: boolean;
  /** Ends reading. The caller aborts it after a failure, so that other files stop as well. */
  readonly signal: AbortSignal;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
}

/** Fetch or read: opens the listed files at one location. */
export interface FileSource {
  /**
   * Whether `config.json` must be opened before other files. A Hub's answer for it tells the commit that the others are
   * then read at.
   */
  readonly opensConfigFirst: boolean;
  /** Whether a page in place of an optional file means that the file does not exist, as development servers answer. */
  readonly pageIsMissing: boolean;
  /** Whether to request only the optional files that can matter, because browsers report a missing file as an error. */
  readonly skipsUnneededFiles: boolean;
  /** Lists the files of the location. Returns `undefined` if it cannot tell. */
  list(): Promise<ReadonlySet<string> | undefined>;
  /** Sets the files that the location has, if it does not list them itself. */
  restrict(names: ReadonlySet<string>): void;
  /** Counts a file as missing without opening it. */
  skip(file: ModelFile): void;
  /** Opens a file. Returns `undefined` if the location does not have it. */
  open(file: ModelFile): Promise<OpenedFile | undefined>;
  /** Announces further files that will be read, so that progress can count them. */
  announce(names: readonly string[]): void;
  /** Creates the error for a required file that the location does not have. */
  missing(file: ModelFile): RankletError;
  /** Creates the error for a location without weights in any form. */
  missingWeights(): RankletError;
}

/** Verify: a file whose content can be read. Checks that need no content have passed. */
export interface OpenedFile {
  readonly name: string;
  /** Its length, if it is downloaded and the server says so. */
  readonly length?: number | undefined;
  /** Reads the content, verifies it, and reports progress. May be called once. */
  read(): Promise<Blob>;
  /** Reads the content as `read` does, but does not wait for it; only for a file that workers can read in pieces. */
  readonly arrive?: (() => ArrivingFile) | undefined;
  /** Whether reading uses up what the caller gave, so that a later `load` cannot read it. */
  readonly isReadOnce?: boolean | undefined;
  /** Ends the download without reading the content; only for a file that is downloaded. */
  readonly cancel?: (() => Promise<void>) | undefined;
}

/** Start: what an engine needs, on whichever thread it runs. */
export interface EngineInputs {
  readonly platform: Platform;
  readonly module: WebAssembly.Module;
  readonly files: ArrivingFiles;
  readonly settings: EngineSettings;
  readonly workers: "auto" | number;
  readonly split: "auto" | "copies" | "layers";
}

/** The result of loading. */
export interface LoadedModel {
  readonly scorer: Scorer;
  /** The engine's description of the model, with the warnings of loading. */
  readonly info: ModelInfo;
}
