import { RankletError } from "../errors.js";
import type { Contribution, Explanation, Span } from "../types.js";
import { abortable } from "../util/abort.js";
import { expectSameDevice } from "./fallback.js";
import { type IndexedScores, miscounted, streamJob } from "./score.js";
import type { ExplainedPair, ExplanationPlan, Scorer } from "./scorer.js";

/** A document that has chunks is read whole. */
const inChunks = { maxTokensPerDocument: undefined, longDocuments: "chunk" } as const;

/** An explanation so far. */
export interface ExplanationStep {
  /** Number of pairs scored so far. */
  readonly done: number;
  /** Number of pairs in total. For a document in chunks, it is the maximum until the best chunk is known. */
  readonly total: number;
  explanation(): Explanation;
}

/**
 * Explains a pair and yields the explanation as it settles: first before anything is scored, then each time all that is scored.
 * The explanation ends when the reader leaves.
 */
export async function* explained(
  scorer: Scorer,
  pair: ExplainedPair,
  signal: AbortSignal | undefined,
): AsyncGenerator<ExplanationStep, void> {
  const { device } = scorer.info.backend;
  let settling = new SettlingExplanation(await abortable(scorer.plan(pair), signal));
  yield settling;
  const { chunks } = settling;
  let chunk: Span | undefined;
  if (chunks > 0) {
    expectSameDevice(scorer, device);
    chunk = await bestChunk(scorer, pair, signal);
    settling = new SettlingExplanation(await abortable(scorer.plan({ ...pair, chunk }), signal), chunks, chunk);
    yield settling;
  }
  expectSameDevice(scorer, device);
  const job = { kind: "variants", pair: { ...pair, chunk }, variants: settling.variants } as const;
  for await (const partials of streamJob(scorer, job, 0, { scores: "raw", signal })) {
    for (const partial of partials) settling.add(partial);
    yield settling;
  }
  settling.expectAll();
}

/** Returns the span of the document's chunk with the best score. */
async function bestChunk(scorer: Scorer, { query, document }: ExplainedPair, signal: AbortSignal | undefined): Promise<Span> {
  const job = { kind: "query", query, documents: [document], limits: inChunks } as const;
  let span: Span | undefined;
  for await (const partials of streamJob(scorer, job, 0, { scores: "raw", signal })) {
    for (const { spans } of partials) if (spans?.length === 2) span = { start: spans[0] as number, end: spans[1] as number };
  }
  if (span === undefined) throw new RankletError("internal", "the engine returned no chunk of the document");
  return span;
}

/** An explanation whose variants are scored one after the other, in any order. */
class SettlingExplanation implements ExplanationStep {
  readonly #plan: ExplanationPlan;
  readonly #scoredChunks: number;
  readonly #span: Span | undefined;
  readonly #logits: Float32Array;
  readonly #isScored: Uint8Array;
  #scored = 0;

  /**
   * @param scoredChunks number of chunks that were scored to find the best one
   * @param span the best chunk
   */
  constructor(plan: ExplanationPlan, scoredChunks = 0, span?: Span) {
    this.#plan = plan;
    this.#scoredChunks = scoredChunks;
    this.#span = span;
    this.#logits = new Float32Array(plan.variants);
    this.#isScored = new Uint8Array(plan.variants);
  }

  /** Number of chunks to score first. */
  get chunks(): number {
    return this.#plan.chunks;
  }

  /** The numbers of all variants. */
  get variants(): Uint32Array {
    return Uint32Array.from({ length: this.#plan.variants }, (_, variant) => variant);
  }

  get done(): number {
    return this.#scoredChunks + this.#scored;
  }

  get total(): number {
    return this.#plan.chunks + this.#scoredChunks + this.#plan.variants;
  }

  add({ indices, scores }: IndexedScores): void {
    this.#scored += indices.length;
    if (scores.length !== indices.length || this.#scored > this.#plan.variants) throw miscounted(this.#plan.variants);
    indices.forEach((variant, position) => {
      this.#logits[variant] = scores[position] as number;
      this.#isScored[variant] = 1;
    });
  }

  /** @throws RankletError `internal` if variants are missing at the end */
  expectAll(): void {
    if (this.#scored !== this.#plan.variants) throw miscounted(this.#plan.variants);
  }

  explanation(): Explanation {
    const [logit = 0, base = 0] = this.#logits;
    const units = this.#contributions();
    const sum = units.reduce((total, { contribution }) => total + contribution, 0);
    return {
      logit,
      base,
      units,
      variants: this.done,
      additivityError: Math.fround(sum - (logit - base)),
      ...(this.#span === undefined ? {} : { span: this.#span }),
    };
  }

  /** Returns the contributions. Terms of the plan whose logits are unknown do not count. */
  #contributions(): Contribution[] {
    const { units, terms } = this.#plan;
    const count = units.length / 3;
    const sums = new Float64Array(count);
    const known = new Uint32Array(count);
    for (let term = 0; term < terms.length; term += 3) {
      const [unit, before, after] = [terms[term] as number, terms[term + 1] as number, terms[term + 2] as number];
      if (this.#isScored[before] !== 1 || this.#isScored[after] !== 1) continue;
      (sums[unit] as number) += (this.#logits[before] as number) - (this.#logits[after] as number);
      (known[unit] as number)++;
    }
    return Array.from(sums, (sum, unit) => ({
      text: units[3 * unit] === 0 ? "query" : "document",
      start: units[3 * unit + 1] as number,
      end: units[3 * unit + 2] as number,
      contribution: Math.fround(sum / Math.max(1, known[unit] as number)),
    }));
  }
}
