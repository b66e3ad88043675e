import { documentTexts } from "../documents/documents.js";
import { type ExplanationStep, explained } from "../scoring/explanation.js";
import type { ExplainedPair, Scorer } from "../scoring/scorer.js";
import type { ComparedExplanation, CompareProgress, Comparison, ExplainCost, ExplainProgress, Explanation, TextOptions } from "../types.js";
import { abortable, withAbortController } from "../util/abort.js";
import { string } from "../util/check.js";

/** The checked options that decide what is explained. */
type PairOptions = TextOptions & {
  readonly [Name in "unit" | "of" | "samples" | "longDocuments"]?: ExplainedPair[Name] | undefined;
};

/**
 * Checks the texts of a call and returns its pairs, one for each document, with the defaults of the options.
 * @param documents the documents by the names of the call's arguments
 */
export function explainedPairs(
  call: string,
  query: unknown,
  documents: Readonly<Record<string, unknown>>,
  { unit = "word", of = "document", samples = 0, longDocuments = "truncate", ...text }: PairOptions,
): [first: ExplainedPair, ...others: ExplainedPair[]] {
  const checkedQuery = string(query, `${call}: query`);
  const names = Object.keys(documents);
  const texts = documentTexts(Object.values(documents), text, { nameOf: (index) => `${call}: ${names[index]}` });
  const pairs = texts.map((document) => ({ query: checkedQuery, document, unit, of, samples, longDocuments }));
  return pairs as [ExplainedPair, ...ExplainedPair[]];
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

/** Explains the two pairs of one query at the same time. */
export async function compare(
  scorer: Scorer,
  pairs: readonly ExplainedPair[],
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
