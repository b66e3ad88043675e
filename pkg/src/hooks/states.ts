import type {
  DocumentInput,
  DownloadProgress,
  LoadOptions,
  RankletError,
  Reranker,
  RerankOptions,
  RerankResponse,
  ScoreProgress,
} from "ranklet";

/** A reranker of a component, while it loads and afterwards. */
export interface RerankerState {
  /** `undefined` until the model is loaded. */
  readonly reranker: Reranker | undefined;
  /** Whether the model is being loaded. Also `true` on the server, where no model is loaded. */
  readonly loading: boolean;
  /** The latest progress of loading; `undefined` before the first and once the model is loaded. */
  readonly progress: DownloadProgress | undefined;
  /** The reason why the model could not be loaded. */
  readonly error: RankletError | undefined;
}

/** Options of `load`. The component's life decides when loading ends, and `progress` is part of the state. */
export type RerankerOptions = Omit<LoadOptions, "signal" | "onProgress">;

/** The ranking of a component. `R` is the type of the option `returnDocuments`. */
export interface RankingState<D extends DocumentInput = DocumentInput, R extends boolean = true> {
  /** The last finished ranking, best first. It stays while the next one is computed, and is empty without a query. */
  readonly results: Readonly<RerankResponse<D, R>["results"]>;
  /** Whether a ranking is being computed. */
  readonly loading: boolean;
  /** The latest progress of the ranking that is being computed. */
  readonly progress: ScoreProgress | undefined;
  /** The reason why the last ranking failed. */
  readonly error: RankletError | undefined;
}

/** Options of `rerank`. With `returnDocuments`, here `true` by default, each result has its document. */
export type RankingOptions<R extends boolean = true> = Omit<
  RerankOptions<DocumentInput, R>,
  "query" | "documents" | "signal" | "onProgress" | "returnDocuments"
> & { readonly returnDocuments?: R | undefined };

/** The arguments of a ranking. */
export interface RankingInput<D extends DocumentInput = DocumentInput, R extends boolean = true> {
  /** Without one, nothing is ranked. */
  readonly reranker: Reranker | undefined;
  /** Without one, as before the user types, nothing is ranked. */
  readonly query: string | undefined;
  readonly documents: readonly D[];
  readonly options: RankingOptions<R> | undefined;
}

export const loadingReranker: RerankerState = { reranker: undefined, loading: true, progress: undefined, error: undefined };

export const noRanking = { results: [], loading: false, progress: undefined, error: undefined } satisfies RankingState;
