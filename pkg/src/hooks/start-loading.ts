import { type ModelSource, type RankletError, Reranker } from "ranklet";

import { loadingReranker, type RerankerOptions, type RerankerState } from "./states.js";

/**
 * Loads a reranker for a component. Components with equal models and options share an engine.
 * @param set receives every state, the first one at once
 * @returns the function that ends loading, or disposes the reranker
 */
export function startLoading(
  model: ModelSource | undefined,
  options: RerankerOptions | undefined,
  set: (state: RerankerState) => void,
): () => void {
  const controller = new AbortController();
  let reranker: Reranker | undefined;
  let ended = false;
  set(loadingReranker);
  Reranker.shared(model, {
    ...options,
    signal: controller.signal,
    onProgress: (progress) => {
      if (!ended) set({ ...loadingReranker, progress });
    },
  }).then(
    (loaded) => {
      if (controller.signal.aborted) return loaded.dispose();
      reranker = loaded;
      if (!ended) set({ ...loadingReranker, reranker, loading: false });
    },
    (error: RankletError) => {
      if (!ended) set({ ...loadingReranker, loading: false, error });
    },
  );
  return () => {
    ended = true;
    // Later, so that a component that is mounted at the same time, as in StrictMode, takes over the engine.
    queueMicrotask(() => {
      controller.abort();
      reranker?.dispose();
    });
  };
}
