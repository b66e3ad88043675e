// The entry `ranklet/orama`: a plug-in that reranks the hits of a search.
import type { DocumentOptions, Scores } from "ranklet";

import { checkOptions, positiveInteger, unchecked } from "../util/check.js";
import { lazyReranker, type ModelChoice, modelChecks, passedOnChecks } from "./lazy-reranker.js";

/** Options of the plug-in. */
export interface PluginOptions
  extends ModelChoice,
    Pick<DocumentOptions, "longDocuments" | "maxTokensPerDocument" | "rankFields" | "structured"> {
  /**
   * Max number of hits that are reranked, from the first, at least 1. The others follow in Orama's order. Default 50. Orama finds
   * 10 unless the search has a higher `limit`.
   */
  readonly candidates?: number | undefined;
  /** Max number of hits that are left, at least 1. Default: all. */
  readonly topN?: number | undefined;
  /** Default `"model"`. */
  readonly scores?: Scores | undefined;
}

/** One hit of Orama's results. */
interface Hit {
  id: string;
  score: number;
  document: unknown;
}

/** The part of Orama's results that the plug-in changes. */
interface Results {
  hits: Hit[];
}

/** A plug-in for `create({ plugins })` of Orama 3. */
export interface OramaPlugin {
  readonly name: "ranklet";
  readonly afterSearch: (
    database: unknown,
    params: { readonly term?: string | undefined },
    language: string | undefined,
    results: Results,
  ) => Promise<void>;
}

const checks = {
  ...modelChecks,
  ...passedOnChecks,
  rankFields: unchecked<NonNullable<DocumentOptions["rankFields"]>>,
  structured: unchecked<NonNullable<DocumentOptions["structured"]>>,
  candidates: positiveInteger,
  topN: positiveInteger,
};

/**
 * Creates the plug-in. After each search with a term it ranks the first hits by how well they answer the term. Orama's results
 * hold the new order and the new scores.
 * @throws RankletError `input` for an unknown option, and for a loaded reranker with a model or options to load
 */
export function pluginRanklet(pluginOptions: PluginOptions = {}): OramaPlugin {
  const { reranker, model, loadOptions, candidates = 50, topN, ...options } = checkOptions("pluginRanklet", pluginOptions, checks);
  const load = lazyReranker({ reranker, model, loadOptions });
  const afterSearch: OramaPlugin["afterSearch"] = async (_database, { term }, _language, results) => {
    const hits = results.hits.slice(0, candidates);
    if (term === undefined || term === "" || hits.length === 0) return;
    const ranking = await (await load()).rerank({ ...options, query: term, documents: hits.map(({ document }) => document as object) });
    const ranked = ranking.results.map(({ index, score }) => ({ ...(hits[index] as Hit), score }));
    results.hits = [...ranked, ...results.hits.slice(candidates)].slice(0, topN);
  };
  // Orama waits only for hooks whose constructor has this name. A build that lowers async functions makes functions of others.
  Object.defineProperty(afterSearch, "constructor", { value: { name: "AsyncFunction" } });
  return { name: "ranklet", afterSearch };
}
