"use client";
// Hooks for React 18 and later. Nothing is loaded on a server, because effects run in browsers only.
import { type DocumentInput, type ModelSource, RankletError, type Reranker } from "ranklet";
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
export interface Ranking<D extends DocumentInput = DocumentInput, R extends boolean = true> extends RankingState<D, R> {
  readonly cancel: () => void;
}

/**
 * Loads a reranker while the component is mounted. Components with equal models and options share one engine, which ends with
 * the last of them.
 */
export function useReranker(model?: ModelSource, options?: RerankerOptions): RerankerState {
  const input = useStable("useReranker", { model, options });
  const [state, setState] = useState(loadingReranker);
  useEffect(() => startLoading(input.model, input.options, setState), [input]);
  return state;
}

/**
 * Ranks documents whenever the query, the documents or the options change. Only the latest ranking counts: earlier ones are
 * aborted.
 */
export function useRanking<D extends DocumentInput, R extends boolean = true>(
  reranker: Reranker | undefined,
  query: string | undefined,
  documents: readonly D[],
  options?: RankingOptions<R>,
): Ranking<D, R> {
  const input = useStable("useRanking", { query, documents, options });
  const [state, setState] = useState<RankingState<D, R>>(noRanking);
  const run = useRef<RankingRun>(undefined);
  useEffect(() => {
    const current = startRanking({ reranker, ...input }, setState);
    run.current = current;
    return current.stop;
  }, [reranker, input]);
  const cancel = useCallback(() => run.current?.cancel(), []);
  return { ...state, cancel };
}

/** Max number of passes of one render in which an input differs. React itself gives up after 25, without saying why. */
const maxPasses = 10;

/**
 * Returns the first of the values that are the same input, so that effects run only when the input changes.
 * @throws RankletError `input` if the input is another one in each pass
 */
function useStable<T extends object>(hook: string, value: T): T {
  const [stable, setStable] = useState({ value, passes: 0 });
  if (isSameInput(stable.value, value)) {
    // Without another pass. A ref would also count passes that React discards.
    stable.passes = 0;
    return stable.value;
  }
  if (stable.passes === maxPasses) throw neverTheSame(hook, stable.value, value);
  setStable({ value, passes: stable.passes + 1 });
  return value;
}

function neverTheSame<T extends object>(hook: string, previous: T, value: T): RankletError {
  const names = (Object.keys(value) as (keyof T & string)[]).filter(
    (name) => !isSameInput({ [name]: previous[name] }, { [name]: value[name] }),
  );
  return new RankletError(
    "input",
    `${hook}: ${names.join(" and ")} is another input in each render; create it once, outside the component or with useMemo`,
  );
}
