import type { PartialScores } from "../scoring/scorer.js";
import type { DocumentInput, RerankResponse, RerankResult } from "../types.js";
import { type Fusion, fused } from "./fusion.js";
import type { ScoredDocument } from "./scored-document.js";

/** The checked options that choose and order results. */
export interface ResultChoice {
  readonly minScore?: number | undefined;
  readonly topN?: number | undefined;
  readonly fuse?: Fusion | undefined;
}

/** Converts the scores of a model with one label. `indices` are 0, 1, 2, … by default. */
export function scoredDocuments({ scores, spans }: Pick<PartialScores, "scores" | "spans">, indices?: Uint32Array): ScoredDocument[] {
  return Array.from(scores, (score, position) => {
    const index = indices?.[position] ?? position;
    return spans === undefined
      ? { index, score }
      : { index, score, span: { start: spans[2 * position] as number, end: spans[2 * position + 1] as number } };
  });
}

/** Chooses results and orders them, best first. Equal scores keep their order. */
export function chooseResults(scored: readonly ScoredDocument[], { minScore, topN, fuse }: ResultChoice): ScoredDocument[] {
  const ranked = fuse === undefined ? [...scored] : fused(scored, fuse);
  return atLeast(ranked, minScore)
    .sort((a, b) => b.score - a.score)
    .slice(0, topN);
}

/** Leaves out the documents that the model gives a lower score than `minScore`. */
export function atLeast(scored: ScoredDocument[], minScore: number | undefined): ScoredDocument[] {
  return minScore === undefined ? scored : scored.filter(({ score, modelScore = score }) => modelScore >= minScore);
}

/** Merges newly scored documents into the best so far and keeps `count`. Of equal scores, the lower index comes first. */
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

/** Converts a scored document to a result, with the document itself if `documents` are given. */
export function toResult<D extends DocumentInput, R extends boolean | undefined>(
  scored: ScoredDocument,
  documents: readonly D[] | undefined,
): RerankResponse<D, R>["results"][number] {
  const result: RerankResult<D> = documents === undefined ? scored : { ...scored, document: documents[scored.index] as D };
  return result as RerankResponse<D, R>["results"][number];
}
