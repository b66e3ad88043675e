import { RankletError } from "../errors.js";
import { array, checkOptions, oneOf, wrongType } from "../util/check.js";
import type { ScoredDocument } from "./scored-document.js";

/** The option `fuse`, checked and with its defaults. */
export interface Fusion {
  readonly firstStage: readonly (number | null)[];
  readonly method: "rrf" | "linear";
  readonly k: number;
  readonly weight: number;
}

const fuseChecks = {
  firstStage: firstStageScores,
  method: oneOf(["rrf", "linear"]),
  k: numberFrom(0, Infinity),
  weight: numberFrom(0, 1),
};

/**
 * Checks the option `fuse`.
 * @throws RankletError `input`
 */
export function fuseOptions(value: unknown, name: string): Fusion {
  const { firstStage, method, k, weight } = checkOptions(name, value, fuseChecks);
  if (firstStage === undefined) throw new RankletError("input", `${name} must have the first stage's score of each document, firstStage`);
  if (method === undefined) throw new RankletError("input", `${name} must have a method, "rrf" or "linear"`);
  if (method === "linear" && k !== undefined) throw new RankletError("input", `${name}: k is for the method "rrf"; use weight`);
  if (method === "rrf" && weight !== undefined) throw new RankletError("input", `${name}: weight is for the method "linear"; use k`);
  return { firstStage, method, k: k ?? 60, weight: weight ?? 0.5 };
}

/** @throws RankletError `input` if the first stage does not have a score for each of `count` documents */
export function checkFirstStage(call: string, fusion: Fusion | undefined, count: number): void {
  if (fusion === undefined || fusion.firstStage.length === count) return;
  throw new RankletError(
    "input",
    `${call}: fuse: the first stage must have a score or null for each of the ${count} documents, and it has ${fusion.firstStage.length}`,
  );
}

/** Replaces the model's scores by fused ones. Of equal scores, that of the first document has the better rank. */
export function fused(scored: readonly ScoredDocument[], { firstStage, method, k, weight }: Fusion): ScoredDocument[] {
  const model: (number | null)[] = firstStage.map(() => null);
  for (const { index, score } of scored) model[index] = score;
  const [modelPart, firstPart] = [model, firstStage].map((values) =>
    method === "rrf" ? reciprocalRanks(values, k) : normalized(values),
  ) as [number[], number[]];
  const [modelWeight, firstWeight] = method === "rrf" ? [1, 1] : [weight, 1 - weight];
  return scored.map((document) => ({
    ...document,
    score: modelWeight * (modelPart[document.index] as number) + firstWeight * (firstPart[document.index] as number),
    modelScore: document.score,
  }));
}

/** Returns `1 / (k + rank)` of each value, and 0 for `null` (Cormack et al. 2009, "Reciprocal rank fusion"). */
function reciprocalRanks(values: readonly (number | null)[], k: number): number[] {
  const positions = Array.from(values.keys()).filter((position) => values[position] !== null);
  positions.sort((a, b) => (values[b] as number) - (values[a] as number));
  const parts = values.map(() => 0);
  positions.forEach((position, at) => (parts[position] = 1 / (k + at + 1)));
  return parts;
}

/** Scales values to 0..1. Equal values are all 0, and so is `null`. */
function normalized(values: readonly (number | null)[]): number[] {
  const known = values.filter((value) => value !== null);
  const min = known.reduce((a, b) => Math.min(a, b), Infinity);
  const max = known.reduce((a, b) => Math.max(a, b), -Infinity);
  // Halves, because the difference of two large numbers can be infinite.
  return values.map((value) => (value === null || max === min ? 0 : (value / 2 - min / 2) / (max / 2 - min / 2)));
}

function firstStageScores(value: unknown, name: string): readonly (number | null)[] {
  return Array.from(array(value, name), (score, position) => {
    if (score === null || Number.isFinite(score)) return score as number | null;
    throw wrongType(`${name}[${position}]`, "a finite number or null", score);
  });
}

function numberFrom(min: number, max: number) {
  return (value: unknown, name: string): number => {
    if (Number.isFinite(value) && (value as number) >= min && (value as number) <= max) return value as number;
    throw wrongType(name, max === Infinity ? `a number of ${min} or more` : `a number from ${min} to ${max}`, value);
  };
}
