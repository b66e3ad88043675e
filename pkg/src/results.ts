import type { DocumentInput, RerankResult } from "./types.js";

/** A document's place and score. */
export interface Scored {
  readonly index: number;
  readonly score: number;
}

/** The best `count` of `scored`, best first. Sorting is stable: equal scores keep the order they come in. */
export function best<S extends Scored>(scored: readonly S[], count = scored.length): S[] {
  return [...scored].sort((a, b) => b.score - a.score).slice(0, count);
}

/** Adds newly scored ones to the best so far, best first, which they may push out; they come after equal ones. */
export function merge(sorted: readonly Scored[], fresh: readonly Scored[], count = Infinity): Scored[] {
  const merged: Scored[] = [];
  let at = 0;
  for (const next of best(fresh)) {
    for (; at < sorted.length && (sorted[at] as Scored).score >= next.score; at++) merged.push(sorted[at] as Scored);
    merged.push(next);
  }
  for (; at < sorted.length; at++) merged.push(sorted[at] as Scored);
  return merged.slice(0, count);
}

/** What a caller sees of a scored document. */
export function result<D extends DocumentInput>({ index, score }: Scored, documents: readonly D[] | undefined): RerankResult<D> {
  return documents === undefined ? { index, score } : { index, score, document: documents[index] as D };
}
