import { type ErrorCode, messageOf, RankletError } from "../errors.js";
import { ModelCache } from "../model/cache.js";
import type { ModelFiles, WeightsForm } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { abortable } from "../util/abort.js";
import type { LoadedModel, ModelLocation } from "./stages.js";

/** The other stages of a load, as the cache calls them. */
export interface LoadSteps {
  /** Reads the files from their location. */
  collect(): Promise<ModelFiles>;
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
  const store = platform.store(typeof option === "string" ? option : undefined, model);
  if (store !== undefined) return new ModelCache(model, store, weights);
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
 * files once an engine has accepted them.
 */
export async function loadThroughCache(cache: ModelCache | undefined, steps: LoadSteps, signal: AbortSignal): Promise<LoadedModel> {
  if (cache === undefined) return loadedWith(await steps.start(steps.collect()), []);
  const warnings: string[] = [];
  const cached = await abortable(cache.read(), signal);
  if (cached !== undefined) {
    steps.onCached(cached);
    try {
      return loadedWith(await steps.start(Promise.resolve(cached)), warnings);
    } catch (error) {
      if (!(error instanceof RankletError) || !fileErrorCodes.includes(error.code)) throw error;
      if (steps.offline) throw new RankletError(error.code, `the model's files in the cache are damaged: ${error.message}`, { cause: error });
      warnings.push(`the model was downloaded again, because its files in the cache were damaged: ${error.message}`);
      await cache.remove().catch(() => {}); // If removing fails, writing fails too, and adds its warning below.
    }
  }
  const collecting = steps.offline ? withFailure(steps.collect(), cache) : steps.collect();
  const scorer = await steps.start(collecting);
  try {
    await cache.write(await collecting);
  } catch (error) {
    warnings.push(`the model could not be stored in the cache and will be downloaded again next time: ${messageOf(error)}`);
  }
  return loadedWith(scorer, warnings);
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
