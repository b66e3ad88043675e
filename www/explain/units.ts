import type { Reranker, TextUnit } from "../../pkg/dist/index.js";
import { duration, signed } from "../ui/format.js";
import type { HeatUnit } from "./heat-text.js";

/** A unit with its text. */
export type Word<U extends HeatUnit = HeatUnit> = U & { readonly word: string };

/** With more variants of a passage than this, its sentences are explained instead of its words. */
const maxVariants = 130;

/** Contributions are shown relative to the largest, but at least to this logit, so that small ones stay pale. */
const minScale = 0.5;

/** Returns the units to explain texts by: words, or sentences if the words would take long. */
export async function unitFor(reranker: Reranker, query: string, ...texts: readonly string[]): Promise<TextUnit> {
  const costs = await Promise.all(texts.map((text) => reranker.explainCost(query, text, { unit: "word" })));
  return costs.every(({ variants }) => variants <= maxVariants) ? "word" : "sentence";
}

/** Returns the units of a text, the largest contributions first. */
export function strongestFirst<U extends HeatUnit>(text: string, units: readonly U[]): Word<U>[] {
  const words = units.map((unit) => ({ ...unit, word: text.slice(unit.start, unit.end) }));
  return words.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
}

/** Returns the contribution that is shown strongest. */
export function scaleOf(units: readonly HeatUnit[]): number {
  return Math.max(minScale, ...units.map(({ contribution }) => Math.abs(contribution)));
}

/** Describes the largest contributions for screen readers. */
export function summary(words: readonly Word[]): string {
  const list = (kind: readonly Word[]): string =>
    kind
      .slice(0, 3)
      .map(({ word, contribution }) => `${word}, ${signed(contribution)}`)
      .join("; ");
  const [raising, lowering] = [words.filter(({ contribution }) => contribution > 0), words.filter(({ contribution }) => contribution < 0)];
  const parts = [
    raising.length > 0 ? `Raises the score: ${list(raising)}.` : "",
    lowering.length > 0 ? `Lowers it: ${list(lowering)}.` : "",
  ];
  return parts.filter((part) => part !== "").join(" ");
}

/** Describes an explanation under way. */
export function progressText(unit: TextUnit, done: number, total: number): string {
  return `What each ${unit} adds to the logit: ${done} of ${total} scores.`;
}

/** Describes a complete explanation. */
export function costText(unit: TextUnit, variants: number, ms: number): string {
  return `What each ${unit} adds to the logit, from ${variants} scores in ${duration(ms)}.`;
}
