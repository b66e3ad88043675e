import { make, setText } from "../ui/dom.js";
import { count } from "../ui/format.js";

/** What a row shows. */
export interface RowContent {
  readonly rank: number;
  readonly text: string;
  /** What the score reads; empty while there is none. */
  readonly score: string;
  /** The length of the bar, from 0 to 1. */
  readonly barLength: number;
  /** Places gained against the other order, or that it is not in there; `undefined` where there is nothing to compare. */
  readonly rankGain: number | "new" | undefined;
  /** Whether this passage still waits for its score. */
  readonly pending: boolean;
  /** Whether it is known to be the right one. */
  readonly isAnswer: boolean;
}

/** One passage in a list: a button, which shows the whole text. */
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

/** The way a passage went, to be seen (the style sheet draws the arrow) and to be heard. */
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
