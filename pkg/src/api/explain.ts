import { type ExplanationStep, explained } from "../scoring/explanation.js";
import type { ExplainedPair, Scorer } from "../scoring/scorer.js";
import type { ComparedExplanation, CompareProgress, Comparison, ExplainCost, ExplainProgress, Explanation } from "../types.js";
import { abortable, withAbortController } from "../util/abort.js";

/** The checked options that decide what is explained. */
type PairOptions = { readonly [Name in "unit" | "of" | "samples"]?: ExplainedPair[Name] | undefined };

/** Returns a pair to explain, with the defaults of the options. */
export function explainedPair(
  query: string,
  document: string,
  { unit = "word", of = "document", samples = 0 }: PairOptions,
): ExplainedPair {
  return { query, document, unit, of, samples };
}

/** Explains a pair. */
export async function explain(
  scorer: Scorer,
  pair: ExplainedPair,
  signal: AbortSignal | undefined,
  onProgress: ((progress: ExplainProgress) => void) | undefined,
): Promise<Explanation> {
  const last = await follow(scorer, pair, signal, (step) =>
    onProgress?.({ stage: "explain", done: step.done, total: step.total, explanation: step.explanation() }),
  );
  return last.explanation();
}

/** Returns the number of pairs that `explain` would score. */
export async function explainCost(scorer: Scorer, pair: ExplainedPair, signal: AbortSignal | undefined): Promise<ExplainCost> {
  const { variants, chunks } = await abortable(scorer.plan(pair), signal);
  return { variants: variants + chunks };
}

/** Explains two pairs of one query at the same time. */
export async function compare(
  scorer: Scorer,
  pairs: readonly [a: ExplainedPair, b: ExplainedPair],
  signal: AbortSignal | undefined,
  onProgress: ((progress: CompareProgress) => void) | undefined,
): Promise<Comparison> {
  const steps: [a?: ExplanationStep, b?: ExplanationStep] = [];
  const report = (): void => {
    const [a, b] = steps;
    if (a === undefined || b === undefined) return;
    onProgress?.({ stage: "compare", done: a.done + b.done, total: a.total + b.total, comparison: comparison(a, b) });
  };
  return withAbortController(signal, async (controller) => {
    const [a, b] = await Promise.all(
      pairs.map((pair, position) =>
        follow(scorer, pair, controller.signal, (step) => {
          steps[position] = step;
          report();
        }),
      ),
    );
    return comparison(a as ExplanationStep, b as ExplanationStep);
  });
}

/** Explains a pair. Returns the last step. */
async function follow(
  scorer: Scorer,
  pair: ExplainedPair,
  signal: AbortSignal | undefined,
  onStep: (step: ExplanationStep) => void,
): Promise<ExplanationStep> {
  let last: ExplanationStep | undefined;
  for await (const step of explained(scorer, pair, signal)) {
    last = step;
    onStep(step);
  }
  return last as ExplanationStep;
}

function comparison(first: ExplanationStep, second: ExplanationStep): Comparison {
  const [a, b] = [first.explanation(), second.explanation()];
  return { difference: Math.fround(a.logit - b.logit), a: withLifts(a, 1), b: withLifts(b, -1) };
}

function withLifts(explanation: Explanation, sign: 1 | -1): ComparedExplanation {
  return { ...explanation, units: explanation.units.map((unit) => ({ ...unit, lift: sign * unit.contribution })) };
}
