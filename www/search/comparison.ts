import type { DocumentSet } from "../documents/document-set.js";
import { element, setHidden, setText } from "../ui/dom.js";
import { count, scoreText } from "../ui/format.js";
import { PassageList, passageIndexOf } from "./passage-list.js";
import type { RowContent } from "./passage-row.js";
import { RankChangeLines } from "./rank-change-lines.js";
import type { RankedEntry, ResultOrders } from "./result-order.js";

/** The number of rows per list before the user asks for all. */
const initialRows = 10;

type Row = RowContent & { readonly index: number };

/** The keyword results and Ranklet's results side by side, with lines between them. */
export class Comparison {
  readonly #section = element("comparison", HTMLElement);
  readonly #keywordList = new PassageList(element("keyword-list", HTMLOListElement));
  readonly rankletList = new PassageList(element("ranklet-list", HTMLOListElement));
  readonly #lines = new RankChangeLines(element("rank-change-lines", SVGSVGElement));
  readonly #showAllButton = element("show-all", HTMLButtonElement);
  #documents: DocumentSet | undefined;
  #orders: ResultOrders | undefined;
  #answer: number | undefined;
  #showsAll = false;

  constructor() {
    this.#showAllButton.addEventListener("click", () => {
      this.#showsAll = !this.#showsAll;
      this.#render();
    });
    this.#highlightHoveredOrFocused();
    // A row's height changes when it is expanded and when the width of the window changes.
    const observer = new ResizeObserver(() => {
      this.#keywordList.layOut();
      this.rankletList.layOut();
      this.#drawRankChangeLines();
    });
    for (const id of ["keyword-list", "ranklet-list"]) observer.observe(element(id, HTMLOListElement));
  }

  /** Clears both lists and uses other documents. */
  use(documents: DocumentSet): void {
    this.#documents = documents;
    this.#keywordList.clear();
    this.rankletList.clear();
    this.show(undefined, undefined);
  }

  /** Shows both orders; `answer` is the index of the right passage, if it is known. */
  show(orders: ResultOrders | undefined, answer: number | undefined): void {
    this.#orders = orders;
    this.#answer = answer;
    this.#render();
  }

  #render(): void {
    const { firstStage, entries } = this.#orders ?? { firstStage: { hits: [], candidates: [] }, entries: [] };
    const maxRows = this.#showsAll ? Infinity : initialRows;
    this.#keywordList.show(this.#keywordRows(maxRows));
    this.rankletList.show(this.#rankletRows(maxRows));
    this.#section.classList.toggle("empty", this.#orders === undefined);
    this.#section.classList.toggle("no-hits", this.#orders !== undefined && firstStage.hits.length === 0);
    setHidden(this.#showAllButton, entries.length <= initialRows);
    setText(this.#showAllButton, this.#showsAll ? `Show the first ${initialRows}` : `Show all ${entries.length}`);
    this.#drawRankChangeLines();
  }

  #keywordRows(maxRows: number): Row[] {
    const hits = this.#orders?.firstStage.hits ?? [];
    const best = hits[0]?.score ?? 1;
    return hits.slice(0, maxRows).map(({ index, score }, position) => ({
      ...this.#row(index, position),
      score: score.toFixed(1),
      barLength: score / best,
    }));
  }

  #rankletRows(maxRows: number): Row[] {
    const { firstStage, entries } = this.#orders ?? { firstStage: undefined, entries: [] };
    const keywordPositions = new Map(firstStage?.hits.map(({ index }, position) => [index, position]));
    const barLength = barLengths(entries);
    return entries.slice(0, maxRows).map(({ index, score }, position) => {
      const previous = keywordPositions.get(index);
      return {
        ...this.#row(index, position),
        score: score === undefined ? "" : scoreText(score),
        barLength: score === undefined ? 0 : barLength(score),
        rankGain: previous === undefined ? (keywordPositions.size > 0 ? "new" : undefined) : previous - position,
        pending: score === undefined,
      };
    });
  }

  #row(index: number, position: number): Row {
    const text = this.#documents?.passages[index]?.text ?? "";
    return {
      index,
      rank: position + 1,
      text,
      score: "",
      barLength: 0,
      rankGain: undefined,
      pending: false,
      isAnswer: index === this.#answer,
    };
  }

  #drawRankChangeLines(): void {
    const hits = this.#orders?.firstStage.hits ?? [];
    this.#lines.draw(this.#keywordList, this.rankletList, new Set(hits.map(({ index }) => index)), this.#answer);
  }

  #highlightHoveredOrFocused(): void {
    const highlight = ({ target }: Event): void => {
      const row = target instanceof Element ? target.closest<HTMLElement>(".row") : null;
      const index = row === null ? undefined : passageIndexOf(row);
      for (const part of [this.#keywordList, this.rankletList, this.#lines]) part.highlight(index);
    };
    for (const type of ["pointerover", "focusin"]) this.#section.addEventListener(type, highlight);
    for (const type of ["pointerleave", "focusout"]) this.#section.addEventListener(type, () => highlight(new Event(type)));
  }
}

/** Describes how a passage's rank differs between the two orders. */
export function rankChange({ firstStage, entries }: ResultOrders, index: number): string {
  const [from, to] = [firstStage.hits.findIndex((hit) => hit.index === index), entries.findIndex((entry) => entry.index === index)];
  if (from === -1) return `is at place ${to + 1}; keywords did not find it`;
  if (from === to) return `is at place ${to + 1} in both orders`;
  return `went ${from > to ? "up" : "down"} ${count(Math.abs(from - to), "place")}, from ${from + 1} to ${to + 1}`;
}

/** Returns a function from a score to a bar length: the score itself if all scores are in [0, 1], else scaled to min and max. */
function barLengths(entries: readonly RankedEntry[]): (score: number) => number {
  const scores = entries.map(({ score }) => score).filter((score) => score !== undefined);
  const [min, max] = [Math.min(...scores), Math.max(...scores)];
  if (min >= 0 && max <= 1) return (score) => score;
  return (score) => (max === min ? 1 : (score - min) / (max - min));
}
