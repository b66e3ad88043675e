// Scores from logits, with the same bits as the engine's (src/model/activation.rs and src/math.rs): each operation rounds to f32,
// as `Math.fround` does, because the exact result of one operation on two f32 always fits in the double that it rounds.
import type { ModelInfo, Scores } from "../../types.js";

const { fround } = Math;

/** Turns a logit into a score. */
type ScoreFunction = (logit: number) => number;

/**
 * Returns the function from logits to scores. Returns `undefined` if only the engine has it: a rare activation, or one that
 * the model does not have.
 */
export function scoreFunction(scores: Scores, { activation, calibration }: ModelInfo): ScoreFunction | undefined {
  switch (scores) {
    case "raw":
      return (logit) => logit;
    case "sigmoid":
      return sigmoid;
    case "probability": {
      if (calibration === undefined) return undefined;
      const [scale, offset] = [fround(calibration.scale), fround(calibration.offset)];
      return (logit) => sigmoid(fround(fround(scale * logit) + offset));
    }
    case "model":
      if (activation === "sigmoid") return sigmoid;
      return activation === "identity" ? (logit) => logit : undefined;
  }
}

function sigmoid(x: number): number {
  const e = exp(-Math.abs(x));
  return x >= 0 ? fround(1 / fround(1 + e)) : fround(e / fround(1 + e));
}

const expTerms = [1.3813144e-3, 8.369419e-3, 4.1668456e-2, 1.6666515e-1, 0.49999994].map(fround);
const log2E = fround(Math.LOG2E);
const ln2High = fround(0.6933594);
const ln2Low = fround(-2.1219444e-4);

/** `e^x` of an f32. */
function exp(x: number): number {
  const clamped = Math.min(Math.max(x, -87), 88);
  const n = roundTiesToEven(fround(clamped * log2E));
  const r = fround(fround(clamped - fround(n * ln2High)) - fround(n * ln2Low));
  const tail = expTerms.reduce((sum, term) => fround(fround(sum * r) + term));
  const power = fround(fround(fround(tail * fround(r * r)) + r) + 1);
  return fround(power * 2 ** n);
}

function roundTiesToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
