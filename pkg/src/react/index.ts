"use client";
// Hooks for React 18 and later. Nothing is loaded on a server, because effects run in browsers only.
import type { DocumentInput, ModelSource, Reranker } from "ranklet";
import { useCallback, useEffect, useRef, useState } from "react";

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
export interface Ranking<D extends DocumentInput = DocumentInput> extends RankingState<D> {
  readonly cancel: () => void;
}

/**
 * Loads a reranker while the component is mounted. Components with equal models and options share one engine, which ends with
 * the last of them.
 */
export function useReranker(model?: ModelSource, options?: RerankerOptions): RerankerState {
  const input = useStable({ model, options });
  const [state, setState] = useState(loadingReranker);
  useEffect(() => startLoading(input.model, input.options, setState), [input]);
  return state;
}

/**
 * Ranks documents whenever the query, the documents or the options change. Only the latest ranking counts: earlier ones are
 * aborted.
 */
export function useRanking<D extends DocumentInput>(
  reranker: Reranker | undefined,
  query: string | undefined,
  documents: readonly D[],
  options?: RankingOptions,
): Ranking<D> {
  const input = useStable({ query, documents, options });
  const [state, setState] = useState<RankingState<D>>(noRanking);
  const run = useRef<RankingRun>(undefined);
  useEffect(() => {
    const current = startRanking({ reranker, ...input }, setState);
    run.current = current;
    return current.stop;
  }, [reranker, input]);
  const cancel = useCallback(() => run.current?.cancel(), []);
  return { ...state, cancel };
}

/** Returns the first of the values that are the same input, so that effects run only when the input changes. */
function useStable<T>(value: T): T {
  const [stable, setStable] = useState(value);
  if (isSameInput(stable, value)) return stable;
  setStable(value);
  return value;
}
