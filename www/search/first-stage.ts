import type { DocumentSet } from "../documents/document-set.js";
import { keywordIndex } from "./keywords.js";

/** Up to this number of documents, all are ranked, whatever keywords find. It is the maximum number of keyword hits. */
const maxFewPassages = 50;
/** The maximum number of documents that are ranked if keywords find nothing. */
const maxWithoutKeywords = 200;

/** A passage that the keyword search found. */
export interface Hit {
  readonly index: number;
  readonly score: number;
}

/** The result of the first stage. */
export interface FirstStageResult {
  /** Best first; empty if no passage contains a word of the query. */
  readonly hits: readonly Hit[];
  /** Indices of the passages to rank: the hits, followed by other passages if there are no hits or few documents. */
  readonly candidates: readonly number[];
}

export type FirstStage = (query: string) => FirstStageResult;

/** Indexes a set of documents for keyword search. */
export function firstStage({ passages }: DocumentSet): FirstStage {
  const find = keywordIndex(passages);
  const all = passages.slice(0, maxWithoutKeywords).map((_, index) => index);
  return (query) => {
    const hits = find(query);
    const found = hits.map(({ index }) => index);
    const others = found.length === 0 || passages.length <= maxFewPassages ? all : [];
    return { hits, candidates: [...new Set([...found, ...others])] };
  };
}
