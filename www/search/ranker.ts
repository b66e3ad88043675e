import type { Collection, CollectionRanking, Reranker } from "../../pkg/dist/index.js";

/** The model in use and the documents prepared for it. */
export class Ranker {
  #reranker: Reranker | undefined;
  #collection: Collection<string> | undefined;

  /** The model; `undefined` before the first has been loaded. */
  get reranker(): Reranker | undefined {
    return this.#reranker;
  }

  /** Whether documents can be ranked. */
  get ready(): boolean {
    return this.#collection !== undefined;
  }

  /** Takes over a model and frees the one before; its documents have to be prepared anew. */
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

  /** Tokenises documents, once for all queries. */
  async prepare(texts: readonly string[], signal: AbortSignal): Promise<void> {
    this.release();
    const collection = await this.#reranker?.prepare(texts, { signal });
    if (signal.aborted) collection?.dispose();
    else this.#collection = collection;
  }

  /** Ranks candidates; the ranking of a query before this one ends with an `aborted` error. */
  rank(query: string, candidates: readonly number[], signal: AbortSignal): AsyncGenerator<CollectionRanking<string>, void> {
    if (this.#collection === undefined) throw new Error("no documents are prepared");
    return this.#collection.rank(query, { candidates, latest: true, signal });
  }
}
