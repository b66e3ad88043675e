import { engineModule } from "../../engine/compile.js";
import { RankletError } from "../../errors.js";
import { loadPlanned, withScoreCache } from "../../load/load.js";
import type { CheckedLoadOptions } from "../../load/load-options.js";
import { locateEngine } from "../../load/locate.js";
import type { EngineInputs, LoadedModel, LoadPlan } from "../../load/stages.js";
import type { Platform } from "../../platform/platform.js";
import type { Scorer } from "../../scoring/scorer.js";
import type { DownloadProgress, ModelInfo } from "../../types.js";
import { abortable } from "../../util/abort.js";
import { type ConnectedModel, type Connector, WorkerConnection } from "../../worker/worker-connection.js";
import { WorkerScorer } from "../../worker/worker-scorer.js";
import type { OpenTabLink } from "./tabs.js";

/** How this tab would load a model that all tabs share. */
interface SharedPlan extends LoadPlan {
  readonly options: CheckedLoadOptions & {
    readonly signal: AbortSignal;
    readonly onProgress: (progress: DownloadProgress) => void;
  };
}

/**
 * Loads a model that all tabs share.
 * @param name the model's name, the same in all tabs
 * @throws NotSharedError if this is not possible; or as `loadPlanned`
 */
export async function loadInTabs(platform: Platform, plan: SharedPlan, open: OpenTabLink, name: string): Promise<LoadedModel> {
  const module = (): Promise<WebAssembly.Module> =>
    engineModule(platform, { wasm: locateEngine(platform, plan.options.wasm, false), fetch: undefined });
  const connect = async (connectSignal: AbortSignal, report: (progress: DownloadProgress) => void): Promise<ConnectedModel> => {
    const link = await open(name, module, connectSignal);
    const connection = new WorkerConnection(link.calls);
    try {
      const joined = await abortable(link.join(report), connectSignal);
      if (joined !== undefined) return { connection, info: joined };
      const start = async (inputs: EngineInputs, startSignal: AbortSignal): Promise<Scorer> =>
        startedOn(connection, await abortable(link.load(inputs), startSignal));
      const onOwnProgress = (progress: DownloadProgress): void => {
        link.reportProgress(progress);
        report(progress);
      };
      const connecting = { ...plan, options: { ...plan.options, signal: connectSignal, onProgress: onOwnProgress } };
      const { info } = await loadPlanned(platform, connecting, start);
      return { connection, info };
    } catch (error) {
      connection.close("the model could not be loaded");
      throw error;
    }
  };
  const connector: Connector = { connect: (connectSignal) => connect(connectSignal, () => {}), end: () => {} };
  const { connection, info } = await connect(plan.options.signal, plan.options.onProgress);
  return { scorer: withScoreCache(platform, plan, new WorkerScorer(connector, info, connection)), info };
}

/** Returns a connection as loading expects it: as a scorer that it may dispose. */
function startedOn(connection: WorkerConnection, info: ModelInfo): Scorer {
  const never: Connector = { connect: () => Promise.reject(new RankletError("internal", "the worker ended")), end: () => {} };
  return new WorkerScorer(never, info, connection);
}
