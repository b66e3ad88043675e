import type { Span } from "../../pkg/dist/index.js";
import { make } from "../ui/dom.js";
import { type HeatText, pieces } from "./heat-text.js";

/**
 * The text of a row. While the row is closed, the text begins with the best sentence, which is marked. The whole text of an
 * open row is a heat map as soon as it is explained.
 */
export class PassageText {
  readonly element = make("span", "text");
  #text = "";
  #highlights: readonly Span[] = [];
  #heat: HeatText | undefined;
  #isOpen = false;

  set text(text: string) {
    if (text === this.#text) return;
    this.#text = text;
    this.#heat = undefined;
    this.highlights = [];
  }

  get text(): string {
    return this.#text;
  }

  /** Marks the best sentences. A single sentence that is the whole text is not marked. */
  set highlights(highlights: readonly Span[]) {
    this.#highlights = highlights.filter(({ start, end }) => end - start < this.#text.trim().length);
    this.element.classList.remove("outdated");
    this.#render();
  }

  /** `undefined` removes the heat map. */
  set heat(heat: HeatText | undefined) {
    if (heat === this.#heat) return;
    this.#heat = heat;
    if (this.#isOpen) this.#render();
  }

  set isOpen(isOpen: boolean) {
    this.#isOpen = isOpen;
    this.#render();
  }

  /** Removes the marks of an earlier query. The beginning of the text stays until the next highlights, so that it does not flicker. */
  outdate(): void {
    this.element.classList.add("outdated");
    this.heat = undefined;
  }

  #render(): void {
    if (this.#isOpen && this.#heat !== undefined) this.element.replaceChildren(...this.#heat.nodes);
    else if (this.#highlights.length === 0) this.element.replaceChildren(this.#text);
    else this.element.replaceChildren(...highlighted(this.#text, this.#highlights));
  }
}

/** Returns a text with marks. The part before the first mark has classes, because closed rows show an ellipsis instead. */
function* highlighted(text: string, highlights: readonly Span[]): Generator<Node> {
  let isFirst = true;
  for (const { piece, span } of pieces(text, highlights)) {
    if (span !== undefined) yield make("mark", "", piece);
    else if (isFirst) yield before(piece);
    else yield document.createTextNode(piece);
    isFirst = false;
  }
}

function before(text: string): HTMLElement {
  const created = make("span", "before-best");
  created.append(make("span", "skipped", text));
  return created;
}
