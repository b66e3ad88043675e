import type { Collection, CollectionRanking, Highlight, Reranker } from "../../pkg/dist/index.js";

/** Holds the current model and the documents that are prepared for it. */
export class Ranker {
  #reranker: Reranker | undefined;
  #collection: Collection<string> | undefined;

  /** The model; `undefined` until the first one is loaded. */
  get reranker(): Reranker | undefined {
    return this.#reranker;
  }

  /** Whether documents can be ranked. */
  get ready(): boolean {
    return this.#collection !== undefined;
  }

  /** Replaces the model and frees the previous one. Documents must be prepared again. */
  setReranker(reranker: Reranker): void {
    this.release();
    this.#reranker?.dispose();
    this.#reranker = reranker;
  }

  /** Frees the documents. */
  release(): void {
    this.#collection?.dispose();
    this.#collection = undefined;
  }

  /** Tokenizes documents once for all queries. */
  async prepare(texts: readonly string[], signal: AbortSignal): Promise<void> {
    this.release();
    const collection = await this.#reranker?.prepare(texts, { signal });
    if (signal.aborted) collection?.dispose();
    else this.#collection = collection;
  }

  /** Ranks candidates by their index. A ranking that is still running rejects with the code `aborted`. */
  rank(query: string, candidates: readonly number[], signal: AbortSignal): AsyncGenerator<CollectionRanking<string>, void> {
    if (this.#collection === undefined) throw new Error("no documents are prepared");
    return this.#collection.rank(query, { candidates, latest: true, signal });
  }

  /** Returns the best sentence of some passages by their index. */
  async highlights(query: string, indices: readonly number[], signal: AbortSignal): Promise<Map<number, readonly Highlight[]>> {
    const found = new Map<number, readonly Highlight[]>();
    for await (const { results } of this.#collection?.rank(query, { candidates: indices, highlights: 1, signal }) ?? []) {
      for (const { index, highlights = [] } of results) found.set(index, highlights);
    }
    return found;
  }
}
