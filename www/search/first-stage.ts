import type { DocumentSet } from "../documents/document-set.js";
import { keywordIndex } from "./keywords.js";

/** As many documents as keywords would hand on at most: there, nothing is left out. */
const maxFewPassages = 50;
/** How many documents are ranked where keywords find nothing. */
const maxWithoutKeywords = 200;

/** A passage that keywords found. */
export interface Hit {
  readonly index: number;
  readonly score: number;
}

/** What the first stage hands on. */
export interface FirstStageResult {
  /** Best first; empty where no word occurs. */
  readonly hits: readonly Hit[];
  /** What is ranked: the hits, and without any, or where there are few documents, the others too. */
  readonly candidates: readonly number[];
}

export type FirstStage = (query: string) => FirstStageResult;

/** The keyword search over a set of documents. */
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
