import { type ComparedExplanation, type Comparison, RankletError, type Reranker } from "../../pkg/dist/index.js";
import { element, setText } from "../ui/dom.js";
import { reasonOf } from "../ui/errors.js";
import { signed } from "../ui/format.js";
import { HeatText } from "./heat-text.js";
import { costText, progressText, scaleOf, strongestFirst, unitFor } from "./units.js";
import { showWords } from "./word-list.js";

/** A passage to compare. */
export interface ComparedPassage {
  readonly rank: number;
  readonly text: string;
}

/** The elements of one of the two passages. */
class Side {
  readonly #title: HTMLElement;
  readonly #wordsTitle: HTMLElement;
  readonly #text: HTMLElement;
  readonly words: HTMLElement;
  #heat: HeatText | undefined;

  constructor(side: "a" | "b") {
    this.#title = element(`compare-${side}-title`, HTMLElement);
    this.#wordsTitle = element(`compare-${side}-words-title`, HTMLElement);
    this.#text = element(`compare-${side}-text`, HTMLElement);
    this.words = element(`compare-${side}-words`, HTMLOListElement);
  }

  /** Shows the plain passage. */
  begin({ rank, text }: ComparedPassage): void {
    setText(this.#title, `Number ${rank}`);
    setText(this.#wordsTitle, `Puts number ${rank} ahead`);
    this.#text.replaceChildren(text);
    this.words.replaceChildren();
    this.#heat = undefined;
  }

  show(text: string, { units }: ComparedExplanation, scale: number): void {
    if (this.#heat === undefined) this.#text.replaceChildren(...(this.#heat = new HeatText(text, units)).nodes);
    this.#heat.show(units, scale);
  }
}

/** The dialog that shows what puts one passage ahead of another. */
export class CompareDialog {
  readonly #dialog = element("compare-dialog", HTMLDialogElement);
  readonly #title = element("compare-title", HTMLElement);
  readonly #state = element("compare-state", HTMLElement);
  readonly #summary = element("compare-summary", HTMLElement);
  readonly #a = new Side("a");
  readonly #b = new Side("b");
  #running: AbortController | undefined;

  constructor() {
    this.#dialog.addEventListener("close", () => this.#running?.abort());
    element("compare-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  /** Opens the dialog and compares two passages; `a` ranks higher. */
  async open(title: string, reranker: Reranker, query: string, a: ComparedPassage, b: ComparedPassage): Promise<void> {
    const { signal } = (this.#running = new AbortController());
    const started = performance.now();
    this.#begin(title, a, b);
    try {
      const unit = await unitFor(reranker, query, a.text, b.text);
      const comparison = await reranker.compare(query, a.text, b.text, {
        unit,
        signal,
        onProgress: ({ done, total, comparison }) => {
          setText(this.#state, progressText(unit, done, total));
          this.#showTexts(comparison, a, b);
        },
      });
      this.#showTexts(comparison, a, b);
      this.#showWords(comparison, a, b);
      setText(this.#state, costText(unit, comparison.a.variants + comparison.b.variants, performance.now() - started));
    } catch (error) {
      if (signal.aborted) return;
      // The model was replaced.
      if (error instanceof RankletError && error.code === "disposed") return this.#dialog.close();
      setText(this.#state, "");
      // Screen readers read the summary out.
      setText(this.#summary, `The comparison failed: ${reasonOf(error)}`);
    }
  }

  #begin(title: string, a: ComparedPassage, b: ComparedPassage): void {
    setText(this.#title, title);
    setText(this.#summary, "");
    setText(this.#state, "");
    this.#a.begin(a);
    this.#b.begin(b);
    this.#dialog.showModal();
  }

  #showTexts(comparison: Comparison, a: ComparedPassage, b: ComparedPassage): void {
    const scale = scaleOf([...comparison.a.units, ...comparison.b.units]);
    this.#a.show(a.text, comparison.a, scale);
    this.#b.show(b.text, comparison.b, scale);
  }

  #showWords(comparison: Comparison, a: ComparedPassage, b: ComparedPassage): void {
    const wordsOf = ({ rank, text }: ComparedPassage, { units }: ComparedExplanation) =>
      strongestFirst(text, units).map(({ lift, ...word }) => ({ ...word, value: lift, from: `in number ${rank}` }));
    const words = [...wordsOf(a, comparison.a), ...wordsOf(b, comparison.b)].sort((x, y) => Math.abs(y.value) - Math.abs(x.value));
    const scale = scaleOf(words);
    showWords(
      this.#a.words,
      words.filter(({ value }) => value > 0),
      scale,
    );
    // What lowers the lead of the first passage puts the other one ahead.
    showWords(
      this.#b.words,
      words.filter(({ value }) => value < 0).map((word) => ({ ...word, value: -word.value })),
      scale,
    );
    const logits = `logit ${signed(comparison.a.logit)} against ${signed(comparison.b.logit)}`;
    setText(this.#summary, `Number ${a.rank} is ahead by ${comparison.difference.toFixed(2)}: ${logits}.`);
  }
}
