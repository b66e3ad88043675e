// The entry `ranklet/langchain`: a document compressor for LangChain.js.
import type { DocumentOptions, RerankResult, Scores } from "ranklet";

import { abortable, throwIfAborted } from "../util/abort.js";
import { abortSignal, checkOptions, positiveInteger } from "../util/check.js";
import { lazyReranker, type ModelChoice, modelChecks, passedOnChecks } from "./lazy-reranker.js";

/** A document of LangChain. */
export interface LangChainDocument {
  pageContent: string;
  metadata: Record<string, unknown>;
  id?: string | undefined;
}

/** Options of a `RankletRerank`. */
export interface RankletRerankOptions extends ModelChoice, Pick<DocumentOptions, "longDocuments" | "maxTokensPerDocument"> {
  /** Max number of documents that are returned, at least 1. Default: all. */
  readonly topN?: number | undefined;
  /** Default `"model"`. */
  readonly scores?: Scores | undefined;
  /** Aborts all calls. LangChain does not pass the signal of `invoke` to compressors. */
  readonly signal?: AbortSignal | undefined;
}

const checks = { ...modelChecks, ...passedOnChecks, topN: positiveInteger, signal: abortSignal };

/**
 * A document compressor, for `ContextualCompressionRetriever` and others that call `compressDocuments`. It returns copies of
 * the documents, best first, with the score in `metadata.relevanceScore`.
 */
export class RankletRerank {
  readonly #load: ReturnType<typeof lazyReranker>;
  readonly #options: Omit<RankletRerankOptions, keyof ModelChoice>;

  /** @throws RankletError `input` for an unknown option, and for a loaded reranker with a model or options to load */
  constructor(options: RankletRerankOptions = {}) {
    const { reranker, model, loadOptions, ...callOptions } = checkOptions("RankletRerank", options, checks);
    this.#load = lazyReranker({ reranker, model, loadOptions });
    this.#options = callOptions;
  }

  /**
   * Ranks documents by how well they answer the query.
   * @returns copies of the best documents, best first
   * @throws RankletError `input`, `aborted`, or an error of loading the model
   */
  async compressDocuments<D extends LangChainDocument>(documents: readonly D[], query: string): Promise<D[]> {
    return (await this.#rank(documents, query)).map(({ index, score }) => withScore(documents[index] as D, score));
  }

  /**
   * Ranks documents or texts, like `CohereRerank.rerank`.
   * @param options `topN` takes the place of the compressor's
   * @returns indices and scores, best first
   * @throws RankletError `input`, `aborted`, or an error of loading the model
   */
  async rerank(
    documents: readonly (string | LangChainDocument | Record<string, unknown>)[],
    query: string,
    options?: Pick<RankletRerankOptions, "topN">,
  ): Promise<{ index: number; relevanceScore: number }[]> {
    const { topN } = checkOptions("rerank", options, { topN: positiveInteger });
    return (await this.#rank(documents, query, topN)).map(({ index, score }) => ({ index, relevanceScore: score }));
  }

  async #rank(documents: readonly (string | object)[], query: string, topN = this.#options.topN): Promise<readonly RerankResult[]> {
    throwIfAborted(this.#options.signal);
    // LangChain.js calls a compressor for no documents too; they need no model.
    if (documents.length === 0) return [];
    const reranker = await abortable(this.#load(), this.#options.signal);
    return (await reranker.rerank({ ...this.#options, topN, query, documents })).results;
  }
}

/** Returns a copy of a document, of the same class, with its score. */
function withScore<D extends LangChainDocument>(document: D, score: number): D {
  const copy = Object.assign(Object.create(Object.getPrototypeOf(document) as object) as D, document);
  copy.metadata = { ...document.metadata, relevanceScore: score };
  return copy;
}
