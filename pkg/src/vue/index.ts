// Composables for Vue 3.3 and later. Nothing is loaded on a server.
import type { DocumentInput, ModelSource, Reranker } from "ranklet";
import {
  type ComputedRef,
  computed,
  getCurrentInstance,
  type MaybeRefOrGetter,
  onMounted,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
  toRaw,
  toValue,
  watch,
} from "vue";

import { isSameInput } from "../hooks/same-input.js";
import { startLoading } from "../hooks/start-loading.js";
import { type RankingRun, startRanking } from "../hooks/start-ranking.js";
import {
  loadingReranker,
  noRanking,
  type RankingOptions,
  type RankingState,
  type RerankerOptions,
  type RerankerState,
} from "../hooks/states.js";

export type { RankingOptions, RankingState, RerankerOptions, RerankerState };

/** The fields of a state as refs. */
type Refs<T> = { readonly [Name in keyof T]: ComputedRef<T[Name]> };

/** A ranking, and the function that ends the one that is being computed. */
export type Ranking<D extends DocumentInput = DocumentInput, R extends boolean = true> = Refs<RankingState<D, R>> & {
  readonly cancel: () => void;
};

/**
 * Loads a reranker while the component is mounted, and again when the model or the options change. Components with equal models
 * and options share one engine, which ends with the last of them.
 */
export function useReranker(
  model?: MaybeRefOrGetter<ModelSource | undefined>,
  options?: MaybeRefOrGetter<RerankerOptions | undefined>,
): Refs<RerankerState> {
  const state = shallowRef(loadingReranker);
  let stop = (): void => {};
  whileMounted(
    () => ({ model: toValue(model), options: copy(toValue(options)) }),
    (input) => {
      stop();
      stop = startLoading(input.model, input.options, (next) => (state.value = next));
    },
    () => stop(),
  );
  return {
    reranker: field(state, "reranker"),
    loading: field(state, "loading"),
    progress: field(state, "progress"),
    error: field(state, "error"),
  };
}

/**
 * Ranks documents whenever the reranker, the query, the documents or the options change. Only the latest ranking counts: earlier
 * ones are aborted.
 */
export function useRanking<D extends DocumentInput, R extends boolean = true>(
  reranker: MaybeRefOrGetter<Reranker | undefined>,
  query: MaybeRefOrGetter<string | undefined>,
  documents: MaybeRefOrGetter<readonly D[]>,
  options?: MaybeRefOrGetter<RankingOptions<R> | undefined>,
): Ranking<D, R> {
  const state: ShallowRef<RankingState<D, R>> = shallowRef(noRanking);
  let run: RankingRun | undefined;
  whileMounted(
    () => ({
      // A deep ref has a proxy of the reranker, which cannot reach its private fields.
      reranker: toRaw(toValue(reranker)),
      query: toValue(query),
      documents: [...toValue(documents)],
      options: copy(toValue(options)),
    }),
    (input) => {
      run?.stop();
      run = startRanking(input, (change) => (state.value = change(state.value)));
    },
    () => run?.stop(),
  );
  const cancel = (): void => run?.cancel();
  return {
    results: field(state, "results"),
    loading: field(state, "loading"),
    progress: field(state, "progress"),
    error: field(state, "error"),
    cancel,
  };
}

/** Calls `start` with the input once the component is mounted, and whenever the input changes; then `stop` when its scope ends. */
function whileMounted<T>(input: () => T, start: (input: T) => void, stop: () => void): void {
  let current: T | undefined;
  const begin = (): void => {
    watch(
      input,
      (next) => {
        if (current !== undefined && isSameInput(current, next)) return;
        current = next;
        start(next);
      },
      { immediate: true },
    );
  };
  onScopeDispose(stop);
  // Outside a component, in an effect scope, there is no server rendering to wait for.
  if (getCurrentInstance() === null) begin();
  else onMounted(begin);
}

/** Copies an object, so that a reactive one is tracked and compared by its fields. */
function copy<T extends object>(options: T | undefined): T | undefined {
  return options === undefined ? undefined : { ...options };
}

function field<T, Name extends keyof T>(state: ShallowRef<T>, name: Name): ComputedRef<T[Name]> {
  return computed(() => state.value[name]);
}
