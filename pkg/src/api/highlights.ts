import { renumbered } from "../errors.js";
import type { Deadline } from "../scoring/deadline.js";
import { addTotals, miscounted, scoreJobs, type Totals } from "../scoring/score.js";
import type { DocumentLimits, Scorer } from "../scoring/scorer.js";
import { queryJobs, windows } from "../scoring/windows.js";
import type { Highlight, Scores } from "../types.js";
import { abortable } from "../util/abort.js";
import type { ScoredDocument } from "./scored-document.js";

/** The checked options of a call with highlights. */
interface HighlightSettings {
  readonly query: string;
  /** Returns the scored text of a document. */
  readonly textOf: (index: number) => string;
  readonly limits: DocumentLimits;
  readonly scores: Scores;
  /** Max number of highlights of a document. */
  readonly count: number;
  /** Receives the number of sentences before they are scored, and throws to refuse them. */
  readonly checkSentences?: ((count: number) => void) | undefined;
}

/** The results of a call. */
export interface ResultsSoFar {
  readonly results: readonly ScoredDocument[];
  /** The numbers of the call's micro-batches. Those of the sentences are added to them. */
  readonly totals: Totals;
}

/** A sentence, and the position of its document in the results. */
interface Sentence {
  readonly result: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Adds the best sentences to results. Documents whose sentences are not scored before the deadline get none. */
export async function withHighlights(
  scorer: Scorer,
  { results, totals }: ResultsSoFar,
  { query, textOf, limits, scores, count, checkSentences }: HighlightSettings,
  deadline: Pick<Deadline, "signal" | "maxStepMs" | "check" | "hasCaused">,
): Promise<ScoredDocument[]> {
  let tally: SentenceTally | undefined;
  try {
    deadline.check();
    const texts = results.map(({ index }) => textOf(index));
    const sentences = await readSentences(scorer, texts, { query, limits }, deadline.signal);
    const found = (tally = new SentenceTally(results.length, sentences));
    // A document that is one sentence has the score of that sentence.
    const open = sentences.filter((sentence) => {
      const { score, modelScore = score } = results[sentence.result] as ScoredDocument;
      const isWhole = sentence.text === texts[sentence.result];
      if (isWhole) found.add(sentence, modelScore);
      return !isWhole;
    });
    checkSentences?.(open.length);
    const jobs = queryJobs(
      query,
      open.map(({ text }) => text),
      limits,
      scorer.info.backend.workers,
    );
    await scoreJobs(scorer, jobs, {
      scores,
      signal: deadline.signal,
      maxStepMs: deadline.maxStepMs,
      onPartial: (partial) => {
        addTotals(totals, { ...partial, cacheHits: 0 });
        if (partial.scores.length !== partial.indices.length) throw miscounted(partial.indices.length);
        partial.indices.forEach((index, position) => found.add(open[index] as Sentence, partial.scores[position] as number));
        deadline.check();
      },
    }).catch((error: unknown) => {
      throw renumbered(error, (index) => (results[(open[index] as Sentence).result] as ScoredDocument).index);
    });
  } catch (error) {
    if (!deadline.hasCaused(error)) throw error;
  }
  return results.map((result, position) => {
    const highlights = tally?.best(position, count);
    return highlights === undefined ? result : { ...result, highlights };
  });
}

/** Finds the sentences of documents, one window of documents at a time. */
async function readSentences(
  scorer: Scorer,
  texts: readonly string[],
  { query, limits }: Pick<HighlightSettings, "query" | "limits">,
  signal: AbortSignal,
): Promise<Sentence[]> {
  const sentences: Sentence[] = [];
  let first = 0;
  for (const documents of windows(texts, ({ length }) => length, 1)) {
    const spans = await abortable(scorer.sentences(query, { documents, limits }), signal);
    documents.forEach((text, position) => {
      const ends = spans[position] ?? [];
      for (let at = 0; at < ends.length; at += 2) {
        const [start, end] = [ends[at] as number, ends[at + 1] as number];
        sentences.push({ result: first + position, start, end, text: text.slice(start, end) });
      }
    });
    first += documents.length;
  }
  return sentences;
}

/** The scores of the sentences of each result, as they arrive. */
class SentenceTally {
  readonly #scored: Highlight[][];
  /** For each result, the number of its sentences without a score. */
  readonly #missing: number[];

  constructor(results: number, sentences: readonly Sentence[]) {
    this.#scored = Array.from({ length: results }, () => []);
    this.#missing = this.#scored.map(() => 0);
    for (const { result } of sentences) (this.#missing[result] as number)++;
  }

  add({ result, start, end }: Sentence, score: number): void {
    (this.#scored[result] as Highlight[]).push({ start, end, score });
    (this.#missing[result] as number)--;
  }

  /**
   * Returns the best sentences of a result, best first. Equal scores keep the order of the text. Returns `undefined` if the result
   * has sentences without a score.
   */
  best(result: number, count: number): Highlight[] | undefined {
    if (this.#missing[result] !== 0) return undefined;
    return [...(this.#scored[result] as Highlight[])].sort((a, b) => b.score - a.score || a.start - b.start).slice(0, count);
  }
}
