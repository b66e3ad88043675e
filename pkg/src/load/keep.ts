import { type ErrorCode, messageOf, RankletError } from "../errors.js";
import { ModelCache } from "../model/cache.js";
import type { CacheEntry } from "../model/cache-entry.js";
import type { ModelFiles, WeightsForm } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { abortable } from "../util/abort.js";
import type { LoadedModel, ModelLocation } from "./stages.js";

/** The other stages of a load, as the cache calls them. */
export interface LoadSteps {
  /** Reads the files from their location. Downloads are written into `entry`. */
  collect(entry?: CacheEntry): Promise<ModelFiles>;
  /** Starts an engine with the files. */
  start(files: Promise<ModelFiles>): Promise<Scorer>;
  /** Whether the files cannot be downloaded. */
  readonly offline: boolean;
  /** Reports the progress of files that came from the cache. */
  onCached(files: ModelFiles): void;
}

/** Errors of an engine about the files themselves: cached files that cause one are damaged. */
const fileErrorCodes: readonly ErrorCode[] = ["config", "tokenizer", "weights", "integrity"];

/**
 * Opens the cache of a model. Returns `undefined` if the model is not to be cached.
 * @param option the option `cache` of `load`
 * @param offline what forbids requests; then the cache is used even for a model that is not cached by default
 * @param weights the file that the caller chose as the weights; each choice is cached by itself
 * @throws RankletError `input` if a cache is requested for files that are not downloaded, `unsupported` if there is none
 */
export function openCache(
  platform: Platform,
  location: ModelLocation,
  option: boolean | string | undefined,
  offline: string | undefined,
  weights: WeightsForm | undefined,
): ModelCache | undefined {
  if (option === false) return undefined;
  if (location.kind !== "remote") {
    if (option === undefined) return undefined;
    throw new RankletError(
      "input",
      "load: cache is for a Hub id or a folder's http URL; leave it out for a local folder, for files and for the default model",
    );
  }
  if (option === undefined && location.hub === undefined && offline === undefined) return undefined;
  const model = weights === undefined ? location.folder.href : `${location.folder.href}?weights=${weights.name}`;
  const stores = platform.stores(typeof option === "string" ? option : undefined);
  if (stores !== undefined) return new ModelCache(model, stores.open(model), weights);
  if (option === undefined) return undefined;
  throw new RankletError(
    "unsupported",
    `load: cache is not available here (${platform.noStore}); leave it out, or keep the files yourself and give them to load`,
  );
}

/** Returns the warning that a model is not cached, although it is by default. */
export function noCacheWarnings(platform: Platform, location: ModelLocation, option: boolean | string | undefined, cache: ModelCache | undefined): readonly string[] {
  const isExpected = location.kind === "remote" && location.hub !== undefined && option === undefined;
  return isExpected && cache === undefined ? [`the model is not stored in a cache and will be downloaded again next time: ${platform.noStore}`] : [];
}

/**
 * Loads from the cache. If it does not have the model, or has damaged files, loads from the model's location and keeps the
 * files once an engine has accepted them. Other processes and tabs wait meanwhile, and then find them.
 */
export async function loadThroughCache(cache: ModelCache | undefined, steps: LoadSteps, signal: AbortSignal): Promise<LoadedModel> {
  if (cache === undefined) return loadedWith(await steps.start(steps.collect()), []);
  const warnings: string[] = [];
  if (steps.offline) return (await loadCached(cache, steps, warnings, signal)) ?? loadedWith(await steps.start(withFailure(steps.collect(), cache)), warnings);
  return (
    (await loadCached(cache, steps, warnings, signal)) ??
    (await cache.lock(async (isLocked) => (await loadCached(cache, steps, warnings, signal)) ?? (await download(cache, isLocked, steps, warnings)), signal))
  );
}

/** Loads the model from the cache. Returns `undefined` if that does not have it, or has damaged files, which it removes. */
async function loadCached(cache: ModelCache, steps: LoadSteps, warnings: string[], signal: AbortSignal): Promise<LoadedModel | undefined> {
  const cached = await abortable(cache.read(), signal);
  if (cached === undefined) return undefined;
  steps.onCached(cached);
  try {
    return loadedWith(await steps.start(Promise.resolve(cached)), warnings);
  } catch (error) {
    if (!isFileError(error)) throw error;
    if (steps.offline) throw new RankletError(error.code, `the model's files in the cache are damaged: ${error.message}`, { cause: error });
    warnings.push(`the model was downloaded again, because its files in the cache were damaged: ${error.message}`);
    await cache.remove().catch(() => {}); // If removing fails, writing fails too, and adds its warning below.
    return undefined;
  }
}

async function download(cache: ModelCache, continues: boolean, steps: LoadSteps, warnings: string[]): Promise<LoadedModel> {
  const entry = await cache.openEntry(continues, false);
  const collecting = steps.collect(entry);
  let scorer: Scorer;
  try {
    scorer = await steps.start(collecting);
  } catch (error) {
    // Files that were interrupted are continued by the next load, but not those that an engine refuses.
    if (isFileError(error)) await entry.discard().catch(() => {});
    throw error;
  }
  try {
    await cache.commit(entry, await collecting);
  } catch (error) {
    warnings.push(`the model could not be stored in the cache and will be downloaded again next time: ${messageOf(error)}`);
  }
  return loadedWith(scorer, warnings);
}

function isFileError(error: unknown): error is RankletError {
  return error instanceof RankletError && fileErrorCodes.includes(error.code);
}

/** Adds the reason why the cache could not be read to an error about files that cannot be downloaded. */
async function withFailure(collecting: Promise<ModelFiles>, { readFailure }: ModelCache): Promise<ModelFiles> {
  try {
    return await collecting;
  } catch (error) {
    if (readFailure === undefined || !(error instanceof RankletError)) throw error;
    throw new RankletError(error.code, `${error.message} (the cache could not be read: ${readFailure})`, { cause: error });
  }
}

function loadedWith(scorer: Scorer, warnings: readonly string[]): LoadedModel {
  return withWarnings(scorer, scorer.info, warnings);
}

/** Adds warnings to the info of a loaded model. */
export function withWarnings(scorer: Scorer, info: ModelInfo, warnings: readonly string[]): LoadedModel {
  if (warnings.length === 0) return { scorer, info };
  return { scorer, info: Object.freeze({ ...info, warnings: Object.freeze([...info.warnings, ...warnings]) }) };
}
