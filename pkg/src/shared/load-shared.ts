// Engines that several users share: `Reranker.shared`. Users on this thread share a connection to the engine of all tabs, or an
// engine of this thread if tabs cannot share one.
import { withWarnings } from "../engine/info.js";
import { loadPlanned } from "../load/load.js";
import { planLoad } from "../load/locate.js";
import type { LoadedModel, LoadPlan } from "../load/stages.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress, LoadOptions, ModelSource } from "../types.js";
import { abortable } from "../util/abort.js";
import { type CollectionNumbers, SharedScorer } from "./shared-scorer.js";
import { sharingKey } from "./sharing-key.js";
import { loadInTabs } from "./tabs/load-in-tabs.js";
import { NotSharedError, type OpenTabLink } from "./tabs/tabs.js";

type Listener = (progress: DownloadProgress) => void;

/** A model with at least one user. */
interface SharedModel {
  readonly loading: Promise<LoadedModel>;
  /** Aborted when the last user leaves. */
  readonly controller: AbortController;
  readonly listeners: Set<Listener>;
  readonly numbers: CollectionNumbers;
  lastProgress: DownloadProgress | undefined;
  users: number;
}

const models = new Map<string, SharedModel>();

/**
 * Returns one user's part of a model. It is loaded if no other user has it, and freed when the last user disposes it.
 * @throws RankletError as `loadModel`
 */
export async function loadShared(
  platform: Platform,
  source: ModelSource | undefined,
  options: LoadOptions | undefined,
): Promise<LoadedModel> {
  const plan = planLoad(platform, source, options);
  const { signal, onProgress, workers } = plan.options;
  const { text: key, isPortable } = sharingKey(plan.location, plan.options);
  // With workers: 0 the engine is on this thread.
  const openLink = isPortable && workers !== 0 ? platform.openTabLink : undefined;
  const model = models.get(key) ?? addModel(platform, plan, key, openLink);
  model.users++;
  try {
    const { scorer, info } = await whileListening(model, onProgress, abortable(model.loading, signal));
    const shared = new SharedScorer(scorer, model.numbers, "page", () => leave(key, model));
    return { scorer: shared, info: Object.freeze({ ...info, backend: shared.info.backend }) };
  } catch (error) {
    leave(key, model);
    throw error;
  }
}

/** Starts to load a model for its first user. */
function addModel(platform: Platform, callersPlan: LoadPlan, key: string, openLink: OpenTabLink | undefined): SharedModel {
  const controller = new AbortController();
  const listeners = new Set<Listener>();
  const onProgress = (progress: DownloadProgress): void => {
    model.lastProgress = progress;
    for (const listener of listeners) listener(progress);
  };
  // Without `hub`, which was read when the model was located: it has the caller's listener, and connections to tabs keep the plan.
  const hub = { revision: undefined, baseUrl: undefined, token: undefined };
  const plan = { ...callersPlan, options: { ...callersPlan.options, hub, signal: controller.signal, onProgress } };
  const loadHere = (): Promise<LoadedModel> => loadPlanned(platform, plan);
  const loadInTabsOrHere = async (open: OpenTabLink): Promise<LoadedModel> => {
    try {
      return await loadInTabs(platform, plan, open, nameOf(platform, key));
    } catch (error) {
      if (!(error instanceof NotSharedError)) throw error;
      const { scorer, info } = await loadHere();
      return { scorer, info: withWarnings(info, [error.message]) };
    }
  };
  const loading = openLink === undefined ? loadHere() : loadInTabsOrHere(openLink);
  const model: SharedModel = { loading, controller, listeners, numbers: { next: 0 }, lastProgress: undefined, users: 0 };
  models.set(key, model);
  // After a failure, the next user tries again.
  loading.catch(() => forget(key, model));
  return model;
}

/** Passes progress to one user while the model is loading. An error that the listener throws rejects this user's call only. */
async function whileListening(model: SharedModel, onProgress: Listener | undefined, loaded: Promise<LoadedModel>): Promise<LoadedModel> {
  if (onProgress === undefined) return loaded;
  let fail = (_error: unknown): void => {};
  const failed = new Promise<never>((_, reject) => (fail = reject));
  const listener = (progress: DownloadProgress): void => {
    try {
      onProgress(progress);
    } catch (error) {
      fail(error);
    }
  };
  model.listeners.add(listener);
  if (model.lastProgress !== undefined) listener(model.lastProgress);
  try {
    return await Promise.race([loaded, failed]);
  } finally {
    model.listeners.delete(listener);
  }
}

/** Returns the name of a model for all tabs, which does not tell an access token. */
function nameOf(platform: Platform, key: string): string {
  const hash = platform.newSha256();
  hash.update(new TextEncoder().encode(key));
  return `ranklet ${hash.digest("hex")}`;
}

function leave(key: string, model: SharedModel): void {
  if (--model.users > 0) return;
  forget(key, model);
  model.controller.abort();
  // A model that failed to load has nothing to free.
  model.loading.then(
    ({ scorer }) => scorer.dispose(),
    () => {},
  );
}

function forget(key: string, model: SharedModel): void {
  if (models.get(key) === model) models.delete(key);
}
