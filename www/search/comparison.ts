import { element, setText } from "../ui/dom.js";
import type { DocumentSet } from "../documents/document-set.js";
import { count, scoreText } from "../ui/format.js";
import type { Entry, Orders } from "./result-order.js";
import { PassageList, indexOf } from "./passage-list.js";
import type { RowContent } from "./passage-row.js";
import { Ribbons } from "./rank-change-lines.js";

/** How many passages of each list are shown at first. */
const few = 10;

type Row = RowContent & { readonly index: number };

/** Both orders side by side, and the lines between them. */
export class Comparison {
  readonly #section = element("comparison", HTMLElement);
  readonly #left = new PassageList(element("keyword-list", HTMLOListElement));
  readonly #right = new PassageList(element("ranklet-list", HTMLOListElement));
  readonly #ribbons = new Ribbons(element("ribbons", SVGSVGElement));
  readonly #more = element("show-all", HTMLButtonElement);
  #documents: DocumentSet | undefined;
  #orders: Orders | undefined;
  #answer: number | undefined;
  #all = false;

  constructor() {
    this.#more.addEventListener("click", () => {
      this.#all = !this.#all;
      this.#render();
    });
    this.#followPointerAndFocus();
    // Rows grow when they are opened, and lines wrap anew when the window gets another width.
    const observer = new ResizeObserver(() => {
      this.#left.place();
      this.#right.place();
      this.#drawRibbons();
    });
    for (const id of ["keyword-list", "ranklet-list"]) observer.observe(element(id, HTMLOListElement));
  }

  /** Begins anew with other documents. */
  use(documents: DocumentSet): void {
    this.#documents = documents;
    this.#left.clear();
    this.#right.clear();
    this.show(undefined, undefined);
  }

  /** Shows both orders; `answer` is the passage that is known to be right. */
  show(orders: Orders | undefined, answer: number | undefined): void {
    this.#orders = orders;
    this.#answer = answer;
    this.#render();
  }

  #render(): void {
    const { found, entries } = this.#orders ?? { found: { hits: [], candidates: [] }, entries: [] };
    const most = this.#all ? Infinity : few;
    this.#left.show(this.#keywordRows(most));
    this.#right.show(this.#rankletRows(most));
    this.#section.classList.toggle("empty", this.#orders === undefined);
    this.#section.classList.toggle("no-hits", this.#orders !== undefined && found.hits.length === 0);
    this.#more.hidden = entries.length <= few;
    setText(this.#more, this.#all ? `Show the first ${few}` : `Show all ${entries.length}`);
    this.#more.setAttribute("aria-pressed", String(this.#all));
    this.#drawRibbons();
  }

  #keywordRows(most: number): Row[] {
    const hits = this.#orders?.found.hits ?? [];
    const best = hits[0]?.score ?? 1;
    return hits.slice(0, most).map(({ index, score }, place) => ({
      ...this.#row(index, place),
      score: score.toFixed(1),
      share: score / best,
    }));
  }

  #rankletRows(most: number): Row[] {
    const { found, entries } = this.#orders ?? { found: undefined, entries: [] };
    const before = new Map(found?.hits.map(({ index }, place) => [index, place]));
    const share = shares(entries);
    return entries.slice(0, most).map(({ index, score }, place) => {
      const was = before.get(index);
      return {
        ...this.#row(index, place),
        score: score === undefined ? "" : scoreText(score),
        share: score === undefined ? 0 : share(score),
        gained: was === undefined ? (before.size > 0 ? "new" : undefined) : was - place,
        waiting: score === undefined,
      };
    });
  }

  #row(index: number, place: number): Row {
    const text = this.#documents?.passages[index]?.text ?? "";
    return { index, rank: place + 1, text, score: "", share: 0, gained: undefined, waiting: false, right: index === this.#answer };
  }

  #drawRibbons(): void {
    const hits = this.#orders?.found.hits ?? [];
    this.#ribbons.draw(this.#left, this.#right, new Set(hits.map(({ index }) => index)), this.#answer);
  }

  #followPointerAndFocus(): void {
    const follow = ({ target }: Event): void => {
      const row = target instanceof Element ? target.closest<HTMLElement>(".row") : null;
      const index = row === null ? undefined : indexOf(row);
      for (const marked of [this.#left, this.#right, this.#ribbons]) marked.mark(index);
    };
    for (const type of ["pointerover", "focusin"]) this.#section.addEventListener(type, follow);
    for (const type of ["pointerleave", "focusout"]) this.#section.addEventListener(type, () => follow(new Event(type)));
  }
}

/** Where a passage went, in words. */
export function journey({ found, entries }: Orders, index: number): string {
  const [from, to] = [found.hits.findIndex((hit) => hit.index === index), entries.findIndex((entry) => entry.index === index)];
  if (from === -1) return `came to place ${to + 1}, and keywords had not found it`;
  if (from === to) return `is at place ${to + 1} in both orders`;
  return `went ${from > to ? "up" : "down"} ${count(Math.abs(from - to), "place")}, from ${from + 1} to ${to + 1}`;
}

/** The length of a score's bar: of itself where scores are shares, between the least and the greatest otherwise. */
function shares(entries: readonly Entry[]): (score: number) => number {
  const scores = entries.map(({ score }) => score).filter((score) => score !== undefined);
  const [least, most] = [Math.min(...scores), Math.max(...scores)];
  if (least >= 0 && most <= 1) return (score) => score;
  return (score) => (most === least ? 1 : (score - least) / (most - least));
}
