// Reactive objects for Svelte 5.7 and later. Nothing is loaded on a server, or before a component reads a property.
import type { DocumentInput, ModelSource, Reranker } from "ranklet";
import { createSubscriber } from "svelte/reactivity";
import { toStore } from "svelte/store";

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

/** A ranking, and the function that ends the one that is being computed. */
export interface Ranking<D extends DocumentInput = DocumentInput, R extends boolean = true> extends RankingState<D, R> {
  cancel(): void;
}

/**
 * Loads a reranker while a component uses it. Components with equal models and options share one engine, which ends with the
 * last of them. Read the properties from the returned object: destructuring would read them once.
 * @param model the model, or a function that returns it, for a model that can change
 */
export function useReranker(
  model?: ModelSource | (() => ModelSource | undefined),
  options?: RerankerOptions | (() => RerankerOptions | undefined),
): RerankerState {
  let state = loadingReranker;
  const subscribe = whileUsed(
    () => ({ model: currentValue(model), options: currentValue(options) }),
    (input, update) =>
      startLoading(input.model, input.options, (next) => {
        state = next;
        update();
      }),
    () => (state = loadingReranker),
  );
  const read = (): RerankerState => {
    subscribe();
    return state;
  };
  return {
    get reranker() {
      return read().reranker;
    },
    get loading() {
      return read().loading;
    },
    get progress() {
      return read().progress;
    },
    get error() {
      return read().error;
    },
  };
}

/**
 * Ranks documents whenever a returned value of the functions changes, while a component uses the results. Only the latest ranking
 * counts: earlier ones are aborted.
 */
export function useRanking<D extends DocumentInput, R extends boolean = true>(
  reranker: () => Reranker | undefined,
  query: () => string | undefined,
  documents: () => readonly D[],
  options?: () => RankingOptions<R> | undefined,
): Ranking<D, R> {
  let state: RankingState<D, R> = noRanking;
  let run: RankingRun | undefined;
  const subscribe = whileUsed(
    () => ({ reranker: reranker(), query: query(), documents: [...documents()], options: options?.() }),
    (input, update) => {
      run = startRanking(input, (change) => {
        state = change(state);
        update();
      });
      return run.stop;
    },
    () => (state = noRanking),
  );
  const read = (): RankingState<D, R> => {
    subscribe();
    return state;
  };
  return {
    get results() {
      return read().results;
    },
    get loading() {
      return read().loading;
    },
    get progress() {
      return read().progress;
    },
    get error() {
      return read().error;
    },
    cancel: () => run?.cancel(),
  };
}

/**
 * Returns a function that subscribes the effect that calls it. While there are subscribers, `start` runs for the input and for
 * every later one that differs; the function that it returned ends the previous run.
 * @param reset called after the last subscriber has left
 */
function whileUsed<T>(input: () => T, start: (input: T, update: () => void) => () => void, reset: () => void): () => void {
  return createSubscriber((update) => {
    let current: T | undefined;
    let stop = (): void => {};
    const unsubscribe = toStore(input).subscribe((next) => {
      if (current !== undefined && isSameInput(current, next)) return;
      current = next;
      stop();
      stop = start(next, update);
    });
    return () => {
      unsubscribe();
      stop();
      reset();
    };
  });
}

function currentValue<T>(value: T | (() => T)): T {
  return typeof value === "function" ? (value as () => T)() : value;
}
