// Loads a model. The stages, one file each:
//
//   locate   locate.ts    the caller's model and options -> LoadPlan
//   list     list.ts      which files to open; the weights index and modules.json list further ones
//   fetch    sources/     LoadPlan -> FileSource, which opens a listed file and reads it
//   verify   verify.ts    a file's commit, length and memory
//   collect  collect.ts   runs list, fetch and verify for every file -> ArrivingFiles
//   start    start/       hands the files to an engine: EngineInputs -> Scorer
//   keep     keep.ts      takes the files from the cache instead, or puts them there once an engine accepts them
import { engineModule, requireWebAssembly } from "../engine/compile.js";
import { withWarnings } from "../engine/info.js";
import { wholeFiles } from "../model/arriving-file.js";
import type { Platform } from "../platform/platform.js";
import { CachedScorer } from "../scoring/cache/cached-scorer.js";
import type { Scorer } from "../scoring/scorer.js";
import type { LoadOptions, ModelSource } from "../types.js";
import { abortable, throwIfAborted, withAbortController } from "../util/abort.js";
import { collectFiles } from "./collect.js";
import { checkIntegrity, type Integrity } from "./integrity.js";
import { type LoadSteps, loadThroughCache, noCacheWarnings, openCache } from "./keep.js";
import { withLocalPath } from "./local-path.js";
import { locateEngine, planLoad } from "./locate.js";
import { reportCached } from "./progress.js";
import { openSource } from "./sources/open-source.js";
import type { EngineInputs, LoadedModel, LoadPlan, ModelLocation } from "./stages.js";
import { EarlyWorker } from "./start/early-worker.js";
import { startScorer } from "./start/start.js";
import { startWhileArriving } from "./start/start-while-arriving.js";

/** Starts an engine with the files of a model. */
type StartScorer = (inputs: EngineInputs, signal: AbortSignal) => Promise<Scorer>;

/**
 * Checks the arguments of `load` and loads a model.
 * @throws RankletError see `Reranker.load`
 */
export async function loadModel(
  platform: Platform,
  source: ModelSource | undefined,
  options: LoadOptions | undefined,
): Promise<LoadedModel> {
  checkRuntime(platform);
  return load(platform, planLoad(platform, source, options), startScorer);
}

/**
 * Loads a model whose arguments were checked before.
 * @param start starts the engine elsewhere than in workers of this thread, or on it
 * @throws RankletError see `Reranker.load`
 */
export async function loadPlanned(platform: Platform, plan: LoadPlan, start: StartScorer = startScorer): Promise<LoadedModel> {
  checkRuntime(platform);
  throwIfAborted(plan.options.signal);
  return load(platform, plan, start);
}

/** @throws RankletError `unsupported` if nothing can be loaded in this runtime, or at this time */
function checkRuntime(platform: Platform): void {
  platform.checkScope();
  requireWebAssembly();
}

async function load(platform: Platform, plan: LoadPlan, start: StartScorer): Promise<LoadedModel> {
  const { settings, workers, split, weights, integrity, wasm, fetch, signal: callerSignal, onProgress } = plan.options;
  const engine = { wasm: locateEngine(platform, wasm, fetch !== undefined), fetch };
  const cache = openCache(platform, plan);
  // Other starters have workers of their own.
  const early =
    start === startScorer && workers !== 0 && platform.startWorker !== undefined ? new EarlyWorker(platform.startWorker) : undefined;
  const withEarly = early === undefined ? platform : { ...platform, startWorker: early.startWorker };
  const loading = withAbortController(callerSignal, async ({ signal }) => {
    const steps: LoadSteps = {
      collect: async (entry) => {
        // A caller's hashes are checked before an engine sees the files.
        const arrives = integrity === undefined && early?.leaksBlobs === false && entry?.hasPieces !== false;
        return collectFiles(openSource(platform, plan, { entry, arrives, signal, onProgress }), weights, integrity);
      },
      start: async (collecting) => {
        const [files, module] = await abortable(Promise.all([collecting, engineModule(platform, engine)]), signal);
        return startWith({ platform: withEarly, module, files, settings, workers, split }, integrity, start, signal);
      },
      offline: plan.offline !== undefined,
      onCached: (files) => reportCached(files, onProgress),
    };
    const { scorer, info } = await withLocalPath(platform, plan.location, loadThroughCache(cache, steps, signal));
    if (signal.aborted) scorer.dispose();
    throwIfAborted(signal);
    const warnings = [...noCacheWarnings(platform, plan, cache), ...environmentWarnings(platform, plan.location)];
    return { scorer: withScoreCache(platform, plan, scorer), info: withWarnings(info, warnings) };
  });
  return loading.finally(() => early?.end());
}

/** Starts an engine with files, some of which may still be arriving, and checks them once they are complete. */
async function startWith(inputs: EngineInputs, integrity: Integrity | undefined, start: StartScorer, signal: AbortSignal): Promise<Scorer> {
  const whole = wholeFiles(inputs.files).then((all) => (integrity === undefined ? all : checkIntegrity(all, integrity, inputs.platform)));
  return startWhileArriving(inputs.files, whole, (files, stop) => start({ ...inputs, files }, stop), signal);
}

/** Adds the cache of scores, if the caller wants one. */
export function withScoreCache(platform: Platform, { options: { scoreCache } }: LoadPlan, scorer: Scorer): Scorer {
  return scoreCache === undefined ? scorer : new CachedScorer(scorer, scoreCache.maxBytes, () => platform.newSha256());
}

/** Warns if the settings for a Hub could not be read. */
function environmentWarnings(platform: Platform, location: ModelLocation): readonly string[] {
  const warning = location.kind === "remote" && location.hub !== undefined ? platform.hubEnvironment()?.warning : undefined;
  return warning === undefined ? [] : [warning];
}
