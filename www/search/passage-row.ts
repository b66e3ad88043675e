import { make, setText } from "../ui/dom.js";
import { count } from "../ui/format.js";

/** What a row shows. */
export interface RowContent {
  readonly rank: number;
  readonly text: string;
  /** What the score reads; empty while there is none. */
  readonly score: string;
  /** The length of the bar, from 0 to 1. */
  readonly share: number;
  /** Places gained against the other order, or that it is not in there; `undefined` where there is nothing to compare. */
  readonly gained: number | "new" | undefined;
  /** Whether this passage still waits for its score. */
  readonly waiting: boolean;
  /** Whether it is known to be the right one. */
  readonly right: boolean;
}

/** One passage in a list: a button, which shows the whole text. */
export class PassageRow {
  readonly item = make("li", "row");
  readonly #button = make("button", "passage");
  readonly #rank = make("span", "rank");
  readonly #text = make("span", "text");
  readonly #score = make("span", "score");
  readonly #move = make("span", "move");
  readonly #bar = make("span", "bar");
  readonly #right = make("span", "right-mark", "right passage");

  constructor(index: number) {
    this.item.dataset["index"] = String(index);
    this.#button.type = "button";
    this.#button.setAttribute("aria-expanded", "false");
    const side = make("span", "side");
    side.append(this.#score, this.#move);
    const body = make("span", "body");
    body.append(this.#right, this.#text);
    this.#bar.setAttribute("aria-hidden", "true");
    this.#button.append(this.#rank, body, side, this.#bar);
    this.item.append(this.#button);
  }

  show({ rank, text, score, share, gained, waiting, right }: RowContent): void {
    setText(this.#rank, String(rank));
    setText(this.#text, text);
    setText(this.#score, score);
    this.#bar.style.setProperty("--share", share.toFixed(4));
    this.#right.hidden = !right;
    this.item.classList.toggle("waiting", waiting);
    this.item.classList.toggle("right", right);
    this.#showMove(waiting ? undefined : gained);
  }

  #showMove(gained: RowContent["gained"]): void {
    this.#move.dataset["direction"] = typeof gained !== "number" || gained === 0 ? "none" : gained > 0 ? "up" : "down";
    this.#move.replaceChildren(...moveParts(gained));
  }
}

/** The way a passage went, to be seen (the style sheet draws the arrow) and to be heard. */
function moveParts(gained: RowContent["gained"]): HTMLElement[] {
  if (gained === undefined) return [];
  if (gained === "new") return [make("span", "", "new"), hidden("not found by keywords")];
  return gained === 0 ? [hidden("same place")] : moved(gained);
}

function moved(gained: number): HTMLElement[] {
  const places = Math.abs(gained);
  const shown = make("span", "", String(places));
  shown.setAttribute("aria-hidden", "true");
  return [shown, hidden(`${gained > 0 ? "up" : "down"} ${count(places, "place")}`)];
}

function hidden(text: string): HTMLElement {
  return make("span", "unseen", text);
}
