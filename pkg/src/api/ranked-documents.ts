import { addTotals, type IndexedScores, noTotals, type Totals } from "../scoring/score.js";
import { atLeast, chooseResults, mergeTop, type ResultChoice, scoredDocuments } from "./results.js";
import type { ScoredDocument } from "./scored-document.js";

/** The documents of one ranking that are scored so far. Indices are positions in its job, because equal scores keep that order. */
export class RankedDocuments {
  readonly total: number;
  readonly #choice: ResultChoice;
  /** The best so far; with a fusion all, because their ranks are not known before the end. */
  #top: ScoredDocument[] = [];
  readonly #isScored: Uint8Array;
  #done = 0;
  #totals = noTotals();

  constructor(total: number, choice: ResultChoice) {
    this.total = total;
    this.#choice = choice;
    this.#isScored = new Uint8Array(total);
  }

  /** Number of documents scored so far. */
  get done(): number {
    return this.#done;
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** The chosen results, best first. */
  get results(): ScoredDocument[] {
    return this.#choice.fuse === undefined ? this.#top : chooseResults(this.#top, this.#choice);
  }

  /** The documents without a score, in order. */
  get unscored(): number[] {
    return Array.from(this.#isScored.keys()).filter((index) => this.#isScored[index] === 0);
  }

  /** Adds the scores of a micro-batch. */
  add(partial: IndexedScores): void {
    const { fuse, minScore, topN } = this.#choice;
    const scored = scoredDocuments(partial, partial.indices);
    if (fuse === undefined) this.#top = mergeTop(this.#top, atLeast(scored, minScore), topN);
    else this.#top = [...this.#top, ...scored].sort((a, b) => a.index - b.index);
    for (const index of partial.indices) this.#isScored[index] = 1;
    this.#done += partial.indices.length;
    addTotals(this.#totals, partial);
  }

  /** Drops all scores, because the call starts over. */
  restart(): void {
    this.#top = [];
    this.#isScored.fill(0);
    this.#done = 0;
    this.#totals = noTotals();
  }
}
