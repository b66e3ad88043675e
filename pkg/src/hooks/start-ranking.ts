import type { DocumentInput, RankletError } from "ranklet";

import { noRanking, type RankingInput, type RankingState } from "./states.js";

/** A ranking of a component. */
export interface RankingRun {
  /** Ends the ranking, and sets the state in which the last finished results stay. */
  cancel(): void;
  /** Ends the ranking without setting a state, because another one follows or the component ends. */
  stop(): void;
}

/**
 * Ranks for a component.
 * @param update receives functions from the previous state to the next, the first one at once
 */
export function startRanking<D extends DocumentInput, R extends boolean>(
  { reranker, query, documents, options }: RankingInput<D, R>,
  update: (change: (previous: RankingState<D, R>) => RankingState<D, R>) => void,
): RankingRun {
  const controller = new AbortController();
  let running = true;
  const end = (): boolean => {
    const wasRunning = running;
    running = false;
    controller.abort();
    return wasRunning;
  };
  const run = {
    cancel: () => {
      if (end()) update(({ results }) => ({ ...noRanking, results }));
    },
    stop: () => void end(),
  };
  if (reranker === undefined || query === undefined || query === "") {
    running = false;
    update(() => noRanking);
    return run;
  }
  update(({ results }) => ({ ...noRanking, results, loading: true }));
  reranker
    .rerank<D, R>({
      ...options,
      returnDocuments: (options?.returnDocuments ?? true) as R,
      query,
      documents,
      signal: controller.signal,
      onProgress: (progress) => {
        if (running) update((previous) => ({ ...previous, progress }));
      },
    })
    .then(
      ({ results }) => {
        if (end()) update(() => ({ ...noRanking, results }));
      },
      (error: RankletError) => {
        if (end()) update(() => ({ ...noRanking, error }));
      },
    );
  return run;
}
