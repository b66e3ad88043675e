import type { TextUnit } from "../../pkg/dist/index.js";
import { make, setText } from "../ui/dom.js";
import { setHeat } from "./heat-text.js";
import { costText, progressText, scaleOf, type Word } from "./units.js";
import { showWords } from "./word-list.js";

type Effect = "raises" | "lowers";

/** The panel of an open row: the cost of the explanation, the largest contributions, and a button for a comparison. */
export class ScorePanel {
  readonly element = make("div", "score-panel");
  readonly #state = make("p", "state");
  readonly #lists: Readonly<Record<Effect, HTMLElement>> = { raises: wordList("Raises the score"), lowers: wordList("Lowers the score") };
  readonly #compare = make("button", "link");

  constructor() {
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Explanation of the score");
    this.#compare.type = "button";
    this.element.append(
      this.#state,
      column("raises", "Raises the score", this.#lists.raises),
      column("lowers", "Lowers it", this.#lists.lowers),
      this.#compare,
    );
    this.reset();
  }

  /** Changes the place of the passage in the order, from 1. */
  setRank(rank: number): void {
    setText(this.#compare, rank === 1 ? "Why ahead of number 2?" : "Why not first?");
  }

  allowComparison(allowed: boolean): void {
    this.#compare.disabled = !allowed;
  }

  /** Shows that the passage is explained when the ranking is final. */
  reset(): void {
    setText(this.#state, "Explained when the ranking is final.");
    for (const list of Object.values(this.#lists)) list.replaceChildren();
    this.allowComparison(false);
  }

  progress(unit: TextUnit, done: number, total: number): void {
    setText(this.#state, progressText(unit, done, total));
  }

  /** @param words the units of the passage, with the largest contributions first */
  done(unit: TextUnit, words: readonly Word[], variants: number, ms: number): void {
    setText(this.#state, costText(unit, variants, ms));
    const listed = words.map((word) => ({ ...word, value: word.contribution }));
    const scale = scaleOf(words);
    showWords(
      this.#lists.raises,
      listed.filter(({ value }) => value > 0),
      scale,
    );
    showWords(
      this.#lists.lowers,
      listed.filter(({ value }) => value < 0),
      scale,
    );
  }

  failed(message: string): void {
    setText(this.#state, message);
  }
}

function wordList(name: string): HTMLElement {
  const list = make("ol", "words");
  list.setAttribute("role", "list");
  list.setAttribute("aria-label", name);
  return list;
}

/** Returns a list with a title that looks as the parts of the heat map that are in the list. */
function column(effect: Effect, title: string, list: HTMLElement): HTMLElement {
  const name = make("span", "heat", title);
  setHeat(name, effect === "raises" ? 0.7 : -0.7, 1);
  const heading = make("p", "key");
  heading.append(name);
  const created = make("div", "column-of-words");
  created.append(heading, list);
  return created;
}
