import { type DocumentOptions, type LoadOptions, type ModelSource, RankletError, Reranker, type ScoringOptions } from "ranklet";

import { unchecked } from "../util/check.js";
import { loadOnce } from "../util/load-once.js";

/** The model of an adapter: a loaded reranker, or what `Reranker.shared` takes. */
export interface ModelChoice {
  /** A loaded reranker. It stays the caller's to dispose. */
  readonly reranker?: Reranker | Promise<Reranker> | undefined;
  /** The model to load when it is first needed, which equal models share. Default: the embedded model. Not with `reranker`. */
  readonly model?: ModelSource | undefined;
  /** Options of `Reranker.shared`. Not with `reranker`. */
  readonly loadOptions?: LoadOptions | undefined;
}

/** Checks of `ModelChoice`. Loading checks the values. */
export const modelChecks = {
  reranker: unchecked<NonNullable<ModelChoice["reranker"]>>,
  model: unchecked<ModelSource>,
  loadOptions: unchecked<LoadOptions>,
};

/** Checks of options that an adapter passes to `rerank`, which checks the values. */
export const passedOnChecks = {
  longDocuments: unchecked<NonNullable<DocumentOptions["longDocuments"]>>,
  maxTokensPerDocument: unchecked<number>,
  scores: unchecked<NonNullable<ScoringOptions["scores"]>>,
};

/**
 * Returns a function that resolves with the reranker. It loads the model in the first call, and again after a failure. The engine
 * is shared, because adapters of one program do not know of each other and have no method that disposes them.
 * @throws RankletError `input` for a loaded reranker with a model or options to load
 */
export function lazyReranker({ reranker, model, loadOptions }: ModelChoice): () => Promise<Reranker> {
  if (reranker !== undefined && (model !== undefined || loadOptions !== undefined)) {
    throw new RankletError("input", "reranker is loaded already, so model and loadOptions would have no effect; leave them out");
  }
  if (reranker !== undefined) return async () => reranker;
  return loadOnce(() => Reranker.shared(model, loadOptions));
}
