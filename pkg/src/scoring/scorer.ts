import type { LongDocuments, ModelInfo, Scores } from "../types.js";

/** How much of a document is read. */
export interface DocumentLimits {
  readonly maxTokensPerDocument: number | undefined;
  readonly longDocuments: LongDocuments;
}

/** What to score. Strings are copied when they go to a worker or into WebAssembly, so callers keep works small. */
export type Job =
  | {
      readonly kind: "query";
      readonly query: string;
      readonly documents: readonly string[];
      readonly limits: DocumentLimits;
    }
  /** Two columns of one length. */
  | { readonly kind: "pairs"; readonly queries: readonly string[]; readonly documents: readonly string[] }
  /** Documents tokenised before; `candidates` are places in the collection, by default all in order. */
  | {
      readonly kind: "prepared";
      readonly query: string;
      readonly collection: number;
      readonly candidates: Uint32Array | undefined;
    };

/** What one micro-batch has finished: a pair whose chunks fill several is finished by the last. */
export interface PartialScores {
  /** Several labels row-major, [pairs, labels]. */
  readonly scores: Float32Array;
  /** For documents in chunks: where the best one begins and ends in the text, [pairs, 2]. */
  readonly spans?: Uint32Array | undefined;
  /** Tokens that went through the model. */
  readonly tokens: number;
  /** Time spent in the engine, in milliseconds. */
  readonly engineMs: number;
}

/** How to score, and who hears of it. */
export interface JobOptions {
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
  /**
   * What it throws ends the work and rejects it. `indices` are those of the part's pairs in the work; without them they
   * are the next ones in order.
   */
  readonly onPartial: (partial: PartialScores, indices?: Uint32Array) => void;
}

/** Documents for a collection, and how much of each is read. */
export interface CollectionInput {
  readonly documents: readonly string[];
  readonly limits: DocumentLimits;
}

/** What a reranker needs of an engine, on this thread or another; no WebAssembly shows through. */
export interface Scorer {
  readonly info: ModelInfo;
  /**
   * Scores a work's pairs, micro-batch by micro-batch; works under way together take turns.
   * @throws RankletError `aborted`, `disposed`, `input`, or what the engine met
   */
  score(job: Job, call: JobOptions): Promise<void>;
  /**
   * Tokenises documents and puts them at the end of a collection. A number not used before begins one.
   * @throws RankletError `disposed`, `tokenizer`, or what the engine met
   */
  prepare(collection: number, input: CollectionInput): Promise<void>;
  /** Frees a collection. */
  release(collection: number): void;
  /** Frees the model; works under way are rejected with `disposed`. */
  dispose(): void;
}
