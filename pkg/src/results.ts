import type { DocumentInput, RerankResult } from "./types.js";

/** A document's place and score. */
export interface Scored {
  readonly index: number;
  readonly score: number;
}

/** The places of scores of one label: by default 0, 1, 2, … */
export function scored(scores: Float32Array, places?: Uint32Array): Scored[] {
  return Array.from(scores, (score, at) => ({ index: places?.[at] ?? at, score }));
}

/** The best `count` of `scored`, best first. Sorting is stable: equal scores keep the order they come in. */
export function best<S extends Scored>(scored: readonly S[], count = scored.length): S[] {
  return [...scored].sort((a, b) => b.score - a.score).slice(0, count);
}

/** Adds newly scored ones to the best so far, best first, which they may push out. Of equal scores the lower index is first. */
export function merge(sorted: readonly Scored[], fresh: readonly Scored[], count = Infinity): Scored[] {
  const merged: Scored[] = [];
  let at = 0;
  for (const next of [...fresh].sort(order)) {
    for (; at < sorted.length && order(sorted[at] as Scored, next) < 0; at++) merged.push(sorted[at] as Scored);
    merged.push(next);
  }
  for (; at < sorted.length; at++) merged.push(sorted[at] as Scored);
  return merged.slice(0, count);
}

function order(a: Scored, b: Scored): number {
  return b.score - a.score || a.index - b.index;
}

/** What a caller sees of a scored document. */
export function result<D extends DocumentInput>({ index, score }: Scored, documents: readonly D[] | undefined): RerankResult<D> {
  return documents === undefined ? { index, score } : { index, score, document: documents[index] as D };
}
