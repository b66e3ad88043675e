import type { ModelSource } from "./load.js";

/** The models that `load` has stored. Without a cache, as in edge runtimes, there are none. */
export interface CachedModels {
  /**
   * Lists the models, and the downloads that were interrupted, last used first.
   * @throws RankletError `input`; or the error of the file system or browser
   */
  list(options?: CacheLocation): Promise<CachedModel[]>;
  /**
   * Returns the bytes of all models together, and of the downloads that were interrupted.
   * @throws RankletError `input`; or the error of the file system or browser
   */
  size(options?: CacheLocation): Promise<number>;
  /**
   * Whether `load` finds the model in the cache, and so needs no request.
   * @param model a Hub id or a folder's URL
   * @throws RankletError `input`; or the error of the file system or browser
   */
  has(model: ModelSource, options?: CacheLookup): Promise<boolean>;
  /**
   * Removes a model, or a download of it that was interrupted. Rerankers that were loaded from it still work.
   * @param model a Hub id or a folder's URL
   * @returns whether there was one
   * @throws RankletError `input`; or the error of the file system or browser
   */
  delete(model: ModelSource, options?: CacheLookup): Promise<boolean>;
}

/** How to keep downloaded files. */
export interface CacheOptions {
  /**
   * The place: in browsers the name of a Cache (default `"ranklet-models-v1"`), in Node a folder (default: the environment variable
   * `RANKLET_CACHE`, or "ranklet" in `HF_HOME` or in the user's cache folder).
   */
  readonly name?: string | undefined;
  /**
   * Max bytes of all models in this cache. After a download, the least recently used models are removed. A model that is
   * larger than the limit is not stored. Default: the limit of the browser or disk.
   */
  readonly maxBytes?: number | undefined;
  /**
   * Whether to ask the server for changes of a cached model. Only files that have changed are downloaded. If the server cannot
   * be reached, the cached model is loaded, and `info.warnings` says so. Default `false`.
   */
  readonly refresh?: boolean | undefined;
}

/** The place of a cache. */
export interface CacheLocation {
  /** The place, as `name` of {@link CacheOptions}. */
  readonly cache?: string | undefined;
}

/** The options of `load` that identify a model in a cache. */
export interface CacheLookup extends CacheLocation {
  readonly revision?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly weights?: string | undefined;
}

/** A model in the cache. */
export interface CachedModel {
  /** The URL of its folder, which `cache.has`, `cache.delete` and `load` take. */
  readonly url: string;
  /** The weights, if `load` was told which. */
  readonly weights?: string;
  /** Size of the stored files, in bytes. */
  readonly bytes: number;
  /** Whether it can be loaded. `false` for a download that was interrupted, which the next `load` continues. */
  readonly complete: boolean;
  readonly lastUsed: Date;
}
