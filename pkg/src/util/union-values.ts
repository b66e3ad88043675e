// The values of public types that are unions of strings, for checks of values from outside.

import type { ExplainedTexts, TextUnit } from "../types/explain.js";
import type { LongDocuments, Scores, StructuredText } from "../types.js";

/** A list of all strings of a union, in any order. tsc refuses a list that lacks one. */
type AllOf<Union extends string, First extends string = Union> = [Union] extends [never]
  ? readonly []
  : First extends Union
    ? readonly [First, ...AllOf<Exclude<Union, First>>]
    : never;

export const scoresValues = ["model", "raw", "sigmoid", "probability"] as const satisfies AllOf<Scores>;
export const longDocumentsValues = ["truncate", "chunk"] as const satisfies AllOf<LongDocuments>;
export const structuredTextValues = ["yaml", "lines"] as const satisfies AllOf<StructuredText>;
export const textUnitValues = ["word", "sentence"] as const satisfies AllOf<TextUnit>;
export const explainedTextsValues = ["document", "query", "both"] as const satisfies AllOf<ExplainedTexts>;
