// Engines that several users of this thread share: `Reranker.shared`.
import { readLoadOptions } from "../load/load-options.js";
import { loadModel } from "../load/load.js";
import { locate } from "../load/locate.js";
import type { LoadedModel } from "../load/stages.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress, LoadOptions, ModelSource } from "../types.js";
import { abortable } from "../util/abort.js";
import { type CollectionNumbers, SharedScorer } from "./shared-scorer.js";
import { sharingKey } from "./sharing-key.js";

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
export async function loadShared(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined): Promise<LoadedModel> {
  const checked = readLoadOptions(platform, options);
  const key = sharingKey(locate(platform, source, checked.hub, checked.fetch !== undefined), checked);
  const model = models.get(key) ?? startLoading(platform, source, options, key);
  model.users++;
  try {
    const { scorer, info } = await whileListening(model, checked.onProgress, abortable(model.loading, checked.signal));
    const shared = new SharedScorer(scorer, model.numbers, () => leave(key, model));
    return { scorer: shared, info: Object.freeze({ ...info, backend: shared.info.backend }) };
  } catch (error) {
    leave(key, model);
    throw error;
  }
}

function startLoading(platform: Platform, source: ModelSource | undefined, options: LoadOptions | undefined, key: string): SharedModel {
  const controller = new AbortController();
  const listeners = new Set<Listener>();
  const onProgress = (progress: DownloadProgress): void => {
    model.lastProgress = progress;
    for (const listener of listeners) listener(progress);
  };
  // Without the other spelling of an option that is replaced.
  const { on_progress: _, ...others } = { on_progress: undefined, ...options };
  const loading = loadModel(platform, source, { ...others, signal: controller.signal, onProgress });
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

function leave(key: string, model: SharedModel): void {
  if (--model.users > 0) return;
  forget(key, model);
  model.controller.abort();
  model.loading.then(({ scorer }) => scorer.dispose(), () => {}); // A model that failed to load has nothing to free.
}

function forget(key: string, model: SharedModel): void {
  if (models.get(key) === model) models.delete(key);
}
