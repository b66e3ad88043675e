import { withWarnings } from "../engine/info.js";
import { type ErrorCode, messageOf, RankletError } from "../errors.js";
import { type ArrivingFiles, wholeFiles } from "../model/arriving-file.js";
import type { ModelCache } from "../model/cache.js";
import type { CacheEntry } from "../model/cache-entry.js";
import { cacheKey, openModelCache, removeLeastRecentlyUsed } from "../model/cached-models.js";
import type { ModelFiles } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { ModelStores } from "../platform/store.js";
import type { Scorer } from "../scoring/scorer.js";
import { abortable } from "../util/abort.js";
import { HashMismatchError } from "./integrity.js";
import type { LoadedModel, LoadPlan } from "./stages.js";

/** The other stages of a load, as the cache calls them. */
export interface LoadSteps {
  /** Reads the files from their location. Downloads are written into `entry`. */
  collect(entry?: CacheEntry): Promise<ArrivingFiles>;
  /** Starts an engine with the files. */
  start(files: Promise<ArrivingFiles>): Promise<Scorer>;
  /** Whether the files cannot be downloaded. */
  readonly offline: boolean;
  /** Reports the progress of files that came from the cache. */
  onCached(files: ModelFiles): void;
}

/** Errors of an engine about the files themselves: cached files that cause one are damaged. */
const fileErrorCodes: readonly ErrorCode[] = ["config", "tokenizer", "weights", "integrity"];

/** The cache of a model, and how to use it. */
interface OpenedCache {
  readonly model: ModelCache;
  /** The caches of all models in the same place. */
  readonly stores: ModelStores;
  readonly maxBytes: number;
  readonly refresh: boolean;
}

/**
 * Opens the cache of a model. Returns `undefined` if the model is not to be cached.
 * Without requests, the cache is used even for a model that is not cached by default.
 * @throws RankletError `input` if a cache is requested for files that are not downloaded, `unsupported` if there is none
 */
export function openCache(platform: Platform, { options, location, offline }: LoadPlan): OpenedCache | undefined {
  const { isWanted, name, maxBytes = Infinity, refresh = false } = options.cache;
  if (isWanted === false) return undefined;
  if (location.kind !== "remote") {
    if (isWanted === undefined) return undefined;
    throw new RankletError(
      "input",
      "load: cache is for a Hub id or a folder's http URL; leave it out for a local folder, for files and for a model of the package",
    );
  }
  if (isWanted === undefined && location.hub === undefined && offline === undefined) return undefined;
  if (refresh && offline !== undefined) {
    throw new RankletError("input", `load: cache.refresh needs requests, which are not possible, because ${offline}; leave it out`);
  }
  const stores = platform.stores(name);
  if (stores !== undefined) return { model: openModelCache(stores, cacheKey(location, options.weights)), stores, maxBytes, refresh };
  if (isWanted === undefined) return undefined;
  throw new RankletError(
    "unsupported",
    `load: cache is not available here (${platform.noStore}); leave it out, or keep the files yourself and give them to load`,
  );
}

/** Returns the warning that a model is not cached, although it is by default. */
export function noCacheWarnings(platform: Platform, { options, location }: LoadPlan, cache: OpenedCache | undefined): readonly string[] {
  const isExpected = location.kind === "remote" && location.hub !== undefined && options.cache.isWanted === undefined;
  return isExpected && cache === undefined
    ? [`the model is not stored in a cache and will be downloaded again next time: ${platform.noStore}`]
    : [];
}

/**
 * Loads from the cache. If it does not have the model, or has damaged files, loads from the model's location and keeps the
 * files once an engine has accepted them. Other processes and tabs wait meanwhile, and then find them.
 */
export async function loadThroughCache(cache: OpenedCache | undefined, steps: LoadSteps, signal: AbortSignal): Promise<LoadedModel> {
  if (cache === undefined) return loadedWith(await steps.start(steps.collect()), []);
  const { model, refresh } = cache;
  const warnings: string[] = [];
  const refused = new Map<string, unknown>();
  const cached = (isLocked: boolean): Promise<LoadedModel | undefined> =>
    loadCached(model, steps, { refused, removes: isLocked, warnings }, signal);
  if (steps.offline) return (await cached(false)) ?? loadedWith(await steps.start(withFailure(steps.collect(), model)), warnings);
  const downloaded = (isLocked: boolean): Promise<LoadedModel> => download(cache, isLocked, steps, warnings);
  if (refresh)
    return model.lock(
      (isLocked) =>
        loadRefreshed(
          () => downloaded(isLocked),
          () => cached(true),
          warnings,
        ),
      signal,
    );
  return (await cached(false)) ?? (await model.lock(async (isLocked) => (await cached(true)) ?? (await downloaded(isLocked)), signal));
}

/** How to load from the cache. */
interface CachedLoad {
  /** The errors of entries that were refused, which are not tried again. */
  readonly refused: Map<string, unknown>;
  /** Whether damaged files are removed. No other process or tab may write meanwhile. */
  readonly removes: boolean;
  readonly warnings: string[];
}

/**
 * Loads the model from the cache. Returns `undefined` if that does not have it, or has files that are refused. Files that only
 * differ from the caller's hashes stay until others have replaced them, because a hash may be wrong.
 */
async function loadCached(
  model: ModelCache,
  steps: LoadSteps,
  { refused, removes, warnings }: CachedLoad,
  signal: AbortSignal,
): Promise<LoadedModel | undefined> {
  const cached = await abortable(model.read(), signal);
  if (cached === undefined) return undefined;
  const { entry, files } = cached;
  if (!refused.has(entry)) {
    steps.onCached(files);
    try {
      return loadedWith(await steps.start(Promise.resolve(files)), warnings);
    } catch (error) {
      if (!isFileError(error)) throw error;
      if (steps.offline)
        throw new RankletError(error.code, `the model's files in the cache are damaged: ${error.message}`, { cause: error });
      refused.set(entry, error);
      warnings.push(`the model was downloaded again, because its files in the cache were damaged: ${error.message}`);
    }
  }
  // If removing fails, writing fails too, and adds its warning later.
  if (removes && !(refused.get(entry) instanceof HashMismatchError)) await model.remove(entry).catch(() => {});
  return undefined;
}

/** Downloads what has changed. If the server cannot be reached, loads from the cache. */
async function loadRefreshed(
  downloaded: () => Promise<LoadedModel>,
  cached: () => Promise<LoadedModel | undefined>,
  warnings: string[],
): Promise<LoadedModel> {
  try {
    return await downloaded();
  } catch (error) {
    if (!(error instanceof RankletError) || error.code !== "network") throw error;
    warnings.push(`the model is the one in the cache, because it could not be refreshed: ${error.message}`);
    const loaded = await cached();
    if (loaded === undefined) throw error;
    return loaded;
  }
}

/** @param continues whether an interrupted download may be continued */
async function download(
  { model, stores, maxBytes, refresh }: OpenedCache,
  continues: boolean,
  steps: LoadSteps,
  warnings: string[],
): Promise<LoadedModel> {
  const entry = await model.openEntry(continues, refresh);
  const collecting = steps.collect(entry);
  let scorer: Scorer;
  try {
    scorer = await steps.start(collecting);
  } catch (error) {
    await entry.close();
    // The next load continues an interrupted download, but not a file that the engine has refused.
    if (isFileError(error)) await entry.discard().catch(() => {});
    throw error;
  }
  try {
    await model.commit(entry, await wholeFiles(await collecting), maxBytes);
    await removeLeastRecentlyUsed(stores, model.key, maxBytes).catch(() => {}); // The next download tries again.
  } catch (error) {
    warnings.push(`the model could not be stored in the cache and will be downloaded again next time: ${messageOf(error)}`);
  }
  return loadedWith(scorer, warnings);
}

function isFileError(error: unknown): error is RankletError {
  return error instanceof RankletError && fileErrorCodes.includes(error.code);
}

/** Adds the reason why the cache could not be read to an error about files that cannot be downloaded. */
async function withFailure(collecting: Promise<ArrivingFiles>, { readFailure }: ModelCache): Promise<ArrivingFiles> {
  try {
    return await collecting;
  } catch (error) {
    if (readFailure === undefined || !(error instanceof RankletError)) throw error;
    throw new RankletError(error.code, `${error.message} (the cache could not be read: ${readFailure})`, { cause: error });
  }
}

function loadedWith(scorer: Scorer, warnings: readonly string[]): LoadedModel {
  return { scorer, info: withWarnings(scorer.info, warnings) };
}
