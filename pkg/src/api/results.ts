import type { PartialScores } from "../scoring/scorer.js";
import type { DocumentInput, RerankResult, Span } from "../types.js";

/** A document's place and score, and for one in chunks what earned it. */
export interface ScoredDocument {
  readonly index: number;
  readonly score: number;
  readonly span?: Span;
}

/** What has been scored, of one label; `indices` are 0, 1, 2, … by default. */
export function scoredDocuments({ scores, spans }: Pick<PartialScores, "scores" | "spans">, indices?: Uint32Array): ScoredDocument[] {
  return Array.from(scores, (score, at) => {
    const index = indices?.[at] ?? at;
    return spans === undefined ? { index, score } : { index, score, span: { start: spans[2 * at] as number, end: spans[2 * at + 1] as number } };
  });
}

/** The best `count` of `scored`, best first. Sorting is stable: equal scores keep the order they come in. */
export function topScores<S extends ScoredDocument>(scored: readonly S[], count = scored.length): S[] {
  return [...scored].sort((a, b) => b.score - a.score).slice(0, count);
}

/** Adds newly scored ones to the best so far, best first, which they may push out. Of equal scores the lower index is first. */
export function mergeTop(sorted: readonly ScoredDocument[], added: readonly ScoredDocument[], count = Infinity): ScoredDocument[] {
  const merged: ScoredDocument[] = [];
  let at = 0;
  for (const next of [...added].sort(compareScores)) {
    for (; at < sorted.length && compareScores(sorted[at] as ScoredDocument, next) < 0; at++) merged.push(sorted[at] as ScoredDocument);
    merged.push(next);
  }
  for (; at < sorted.length; at++) merged.push(sorted[at] as ScoredDocument);
  return merged.slice(0, count);
}

function compareScores(a: ScoredDocument, b: ScoredDocument): number {
  return b.score - a.score || a.index - b.index;
}

/** What a caller sees of a scored document. */
export function toResult<D extends DocumentInput>(scored: ScoredDocument, documents: readonly D[] | undefined): RerankResult<D> {
  return documents === undefined ? scored : { ...scored, document: documents[scored.index] as D };
}
