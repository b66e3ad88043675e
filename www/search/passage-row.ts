import type { Span } from "../../pkg/dist/index.js";
import type { HeatText } from "../explain/heat-text.js";
import { PassageText } from "../explain/passage-text.js";
import type { ScorePanel } from "../explain/score-panel.js";
import { make, setText } from "../ui/dom.js";
import { count } from "../ui/format.js";

/** The content of a row. */
export interface RowContent {
  readonly rank: number;
  readonly text: string;
  /** The score as text; empty while it is not known. */
  readonly score: string;
  /** The length of the bar, from 0 to 1. */
  readonly barLength: number;
  /** The number of places gained over the keyword order, or "new" if keywords did not find it; `undefined` without a keyword order. */
  readonly rankGain: number | "new" | undefined;
  /** Whether the passage has no score yet. */
  readonly pending: boolean;
  /** Whether it is known to be the right passage. */
  readonly isAnswer: boolean;
}

/** A passage in a list: a button that opens the row, that is, shows the whole text and the panel if there is one. */
export class PassageRow {
  readonly item = make("li", "row");
  readonly index: number;
  readonly #button = make("button", "passage");
  readonly #rank = make("span", "rank");
  readonly #text = new PassageText();
  readonly #score = make("span", "score");
  readonly #rankChange = make("span", "rank-change");
  readonly #bar = make("span", "bar");
  readonly #createPanel: (() => ScorePanel) | undefined;
  #panel: ScorePanel | undefined;
  readonly #answerLabel = make("span", "answer-label", "right passage");

  /** @param createPanel creates the panel that explains the score, when the row is opened; without it, there is none */
  constructor(index: number, createPanel: (() => ScorePanel) | undefined) {
    this.index = index;
    this.#createPanel = createPanel;
    this.item.dataset["index"] = String(index);
    this.#button.type = "button";
    this.#button.setAttribute("aria-expanded", "false");
    const side = make("span", "side");
    side.append(this.#score, this.#rankChange);
    const body = make("span", "body");
    body.append(this.#answerLabel, this.#text.element);
    this.#bar.setAttribute("aria-hidden", "true");
    this.#button.append(this.#rank, body, side);
    this.item.append(this.#button, this.#bar);
  }

  get text(): string {
    return this.#text.text;
  }

  get rank(): number {
    return Number(this.#rank.textContent);
  }

  get isOpen(): boolean {
    return this.#button.getAttribute("aria-expanded") === "true";
  }

  set isOpen(isOpen: boolean) {
    this.#button.setAttribute("aria-expanded", String(isOpen));
    this.#text.isOpen = isOpen;
    if (isOpen && this.#panel === undefined) this.#addPanel();
    if (this.#panel !== undefined) this.#panel.element.hidden = !isOpen;
  }

  /** The panel that explains the score; `undefined` if the row was never opened. */
  get panel(): ScorePanel | undefined {
    return this.#panel;
  }

  /** Marks the best sentences. */
  highlight(spans: readonly Span[]): void {
    this.#text.highlights = spans;
  }

  /** Shows what each part of the text adds to the score. */
  explain(heat: HeatText | undefined): void {
    this.#text.heat = heat;
  }

  /** Removes the explanation of an earlier query. */
  outdate(): void {
    this.#text.outdate();
    this.#panel?.reset();
  }

  show({ rank, text, score, barLength, rankGain, pending, isAnswer }: RowContent): void {
    setText(this.#rank, String(rank));
    this.#text.text = text;
    this.#panel?.setRank(rank);
    setText(this.#score, score);
    this.#bar.style.setProperty("--bar-length", barLength.toFixed(4));
    this.#answerLabel.hidden = !isAnswer;
    this.item.classList.toggle("pending", pending);
    this.item.classList.toggle("answer", isAnswer);
    this.#showRankChange(pending ? undefined : rankGain);
  }

  #addPanel(): void {
    this.#panel = this.#createPanel?.();
    if (this.#panel === undefined) return;
    this.#panel.setRank(this.rank);
    this.#button.after(this.#panel.element);
  }

  #showRankChange(rankGain: RowContent["rankGain"]): void {
    this.#rankChange.dataset["direction"] = typeof rankGain !== "number" || rankGain === 0 ? "none" : rankGain > 0 ? "up" : "down";
    this.#rankChange.replaceChildren(...rankChangeParts(rankGain));
  }
}

/** Returns the elements that show a rank change: a number for the eye (the style sheet adds an arrow), words for screen readers. */
function rankChangeParts(rankGain: RowContent["rankGain"]): HTMLElement[] {
  if (rankGain === undefined) return [];
  if (rankGain === "new") return [make("span", "", "new"), hiddenText("not found by keywords")];
  return rankGain === 0 ? [hiddenText("same place")] : upOrDown(rankGain);
}

function upOrDown(rankGain: number): HTMLElement[] {
  const places = Math.abs(rankGain);
  const shown = make("span", "", String(places));
  shown.setAttribute("aria-hidden", "true");
  return [shown, hiddenText(`${rankGain > 0 ? "up" : "down"} ${count(places, "place")}`)];
}

function hiddenText(text: string): HTMLElement {
  return make("span", "visually-hidden", text);
}
