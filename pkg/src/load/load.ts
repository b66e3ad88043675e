// Loads a model. The stages, one file each:
//
//   locate   locate.ts    the caller's model and options -> ModelLocation
//   list     list.ts      which files to open; the weights index and modules.json list further ones
//   fetch    sources/     ModelLocation -> FileSource, which opens a listed file and reads it
//   verify   verify.ts    a file's commit, length and memory
//   collect  collect.ts   runs list, fetch and verify for every file -> ArrivingFiles
//   start    start/       hands the files to an engine: EngineInputs -> Scorer
//   keep     keep.ts      takes the files from the cache instead, or puts them there once an engine accepts them
import { engineModule, requireWebAssembly } from "../engine/compile.js";
import type { Platform } from "../platform/platform.js";
import { type ArrivingFiles, wholeFiles } from "../model/arriving-file.js";
import { CachedScorer } from "../scoring/cache/cached-scorer.js";
import type { Scorer } from "../scoring/scorer.js";
import type { LoadOptions, ModelSource } from "../types.js";
import { abortable, throwIfAborted, withAbortController } from "../util/abort.js";
import { collectFiles } from "./collect.js";
import { checkIntegrity } from "./integrity.js";
import { type LoadSteps, loadThroughCache, noCacheWarnings, openCache, withWarnings } from "./keep.js";
import { readLoadOptions } from "./load-options.js";
import { withLocalPath } from "./local-path.js";
import { locate, locateEngine } from "./locate.js";
import { MemoryBudget } from "./memory-budget.js";
import { offlineReason } from "./offline.js";
import { reportCached } from "./progress.js";
import { openSource } from "./sources/open-source.js";
import type { EngineInputs, LoadedModel, ModelLocation } from "./stages.js";
import { EarlyWorker } from "./start/early-worker.js";
import { startScorer } from "./start/start.js";
import { startWhileArriving } from "./start/start-while-arriving.js";

/** Starts an engine with the files of a model. */
type StartScorer = (inputs: EngineInputs, signal: AbortSignal) => Promise<Scorer>;

/**
 * Checks the options of `load` and loads a model.
 * @param start starts the engine elsewhere than in workers of this thread, or on it
 * @throws RankletError see `Reranker.load`
 */
export async function loadModel(
  platform: Platform,
  source: ModelSource | undefined,
  options: LoadOptions | undefined,
  start: StartScorer = startScorer,
): Promise<LoadedModel> {
  platform.checkScope();
  requireWebAssembly();
  const checked = readLoadOptions(platform, options);
  const {
    settings,
    workers,
    maxAutoWorkers,
    split,
    hub,
    weights,
    integrity,
    scoreCache,
    wasm,
    fetch,
    cache: cacheSetting,
    localFilesOnly,
    signal,
    onProgress,
  } = checked;
  const location = locate(platform, source, hub, fetch !== undefined);
  const engine = { wasm: locateEngine(platform, wasm, fetch !== undefined), fetch };
  const offline = offlineReason(location, localFilesOnly);
  const cache = openCache(platform, location, cacheSetting, offline, weights);
  // Other starters have workers of their own.
  const early =
    start === startScorer && workers !== 0 && platform.startWorker !== undefined ? new EarlyWorker(platform.startWorker) : undefined;
  const withEarly = early === undefined ? platform : { ...platform, startWorker: early.startWorker };
  const loading = withAbortController(signal, async (controller) => {
    const steps: LoadSteps = {
      collect: async (entry) => {
        // A caller's hashes are checked before an engine sees the files.
        const arrives = integrity === undefined && early?.leaksBlobs === false && entry?.hasPieces !== false;
        const context = {
          platform,
          budget: new MemoryBudget(settings),
          offline,
          entry,
          fetch,
          arrives,
          signal: controller.signal,
          onProgress,
        };
        return collectFiles(openSource(location, weights, context), weights);
      },
      start: async (collecting) => {
        const [files, module] = await abortable(Promise.all([collecting, engineModule(platform, engine)]), controller.signal);
        const whole = wholeFiles(files).then((all) => (integrity === undefined ? all : checkIntegrity(all, integrity, platform)));
        const startWith = (given: ArrivingFiles, stop: AbortSignal): Promise<Scorer> =>
          start({ platform: withEarly, module, files: given, settings, workers, maxAutoWorkers, split }, stop);
        return startWhileArriving(files, whole, startWith, controller.signal);
      },
      offline: offline !== undefined,
      onCached: (files) => reportCached(files, onProgress),
    };
    const { scorer, info } = await withLocalPath(platform, location, loadThroughCache(cache, steps, controller.signal));
    const loaded = withWarnings(scorer, info, [
      ...noCacheWarnings(platform, location, cacheSetting, cache),
      ...environmentWarnings(platform, location),
    ]);
    if (controller.signal.aborted) loaded.scorer.dispose();
    throwIfAborted(controller.signal);
    return scoreCache === undefined
      ? loaded
      : { ...loaded, scorer: new CachedScorer(loaded.scorer, scoreCache.maxBytes, () => platform.newSha256()) };
  });
  return loading.finally(() => early?.end());
}

/** Warns if the settings for a Hub could not be read. */
function environmentWarnings(platform: Platform, location: ModelLocation): readonly string[] {
  const warning = location.kind === "remote" && location.hub !== undefined ? platform.hubEnvironment()?.warning : undefined;
  return warning === undefined ? [] : [warning];
}
