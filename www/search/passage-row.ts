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

/** A passage in a list: a button that shows the whole text when it is clicked. */
export class PassageRow {
  readonly item = make("li", "row");
  readonly #button = make("button", "passage");
  readonly #rank = make("span", "rank");
  readonly #text = make("span", "text");
  readonly #score = make("span", "score");
  readonly #rankChange = make("span", "rank-change");
  readonly #bar = make("span", "bar");
  readonly #answerLabel = make("span", "answer-label", "right passage");

  constructor(index: number) {
    this.item.dataset["index"] = String(index);
    this.#button.type = "button";
    this.#button.setAttribute("aria-expanded", "false");
    const side = make("span", "side");
    side.append(this.#score, this.#rankChange);
    const body = make("span", "body");
    body.append(this.#answerLabel, this.#text);
    this.#bar.setAttribute("aria-hidden", "true");
    this.#button.append(this.#rank, body, side, this.#bar);
    this.item.append(this.#button);
  }

  show({ rank, text, score, barLength, rankGain, pending, isAnswer }: RowContent): void {
    setText(this.#rank, String(rank));
    setText(this.#text, text);
    setText(this.#score, score);
    this.#bar.style.setProperty("--bar-length", barLength.toFixed(4));
    this.#answerLabel.hidden = !isAnswer;
    this.item.classList.toggle("pending", pending);
    this.item.classList.toggle("answer", isAnswer);
    this.#showRankChange(pending ? undefined : rankGain);
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
