import { motionAllowed } from "../ui/dom.js";
import { PassageRow, type RowContent } from "./passage-row.js";

const motion: KeyframeAnimationOptions = { duration: 420, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };

/** Where a row lies in its list, in pixels. */
interface RowPosition {
  readonly top: number;
  readonly height: number;
}

/**
 * A list of passages whose rows keep their identity, so that they can be seen to move. Rows are placed by transforms:
 * a new order lays out nothing anew, and nothing around the list moves.
 */
export class PassageList {
  readonly #list: HTMLOListElement;
  readonly #rows = new Map<number, PassageRow>();
  #positions: ReadonlyMap<number, RowPosition> = new Map();

  constructor(list: HTMLOListElement) {
    this.#list = list;
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button.passage") : null;
      button?.setAttribute("aria-expanded", String(button.getAttribute("aria-expanded") !== "true"));
      this.layOut();
    });
    list.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.#moveFocus(event, 1);
      if (event.key === "ArrowUp") this.#moveFocus(event, -1);
    });
  }

  /** Shows these passages, by index and in this order. */
  show(contents: readonly (RowContent & { readonly index: number })[]): void {
    const previous = this.#positions;
    const focused = document.activeElement;
    const rows = contents.map((content) => {
      const row = this.#rows.get(content.index) ?? new PassageRow(content.index);
      this.#rows.set(content.index, row);
      row.show(content);
      return row.item;
    });
    this.#arrange(rows);
    // A row that is moved loses the focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
    this.layOut();
    if (motionAllowed()) this.#animate(previous);
  }

  /** Puts the rows below each other; also after one was opened, and after the list became narrower or wider. */
  layOut(): void {
    const heights = this.#items().map((item) => ({ item, height: item.offsetHeight }));
    const positions = new Map<number, RowPosition>();
    let top = 0;
    for (const { item, height } of heights) {
      item.style.setProperty("transform", `translateY(${top}px)`);
      positions.set(passageIndexOf(item), { top, height });
      top += height;
    }
    this.#positions = positions;
    this.#list.style.setProperty("height", `${top + 2}px`); // With both borders.
  }

  /** Forgets all rows: another set of documents has other texts under the same index. */
  clear(): void {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.layOut();
  }

  /** The middle of a passage's row in the list, in pixels from the list's top; `undefined` where it is not shown. */
  centerOf(index: number): number | undefined {
    const position = this.#positions.get(index);
    return position && position.top + position.height / 2;
  }

  /** The passages shown, in order. */
  get shown(): number[] {
    return this.#items().map(passageIndexOf);
  }

  /** Marks one passage, and no other. */
  highlight(index: number | undefined): void {
    for (const item of this.#items()) item.classList.toggle("active", passageIndexOf(item) === index);
  }

  #arrange(rows: readonly HTMLElement[]): void {
    const wantedRows = new Set<HTMLElement>(rows);
    for (const item of this.#items()) if (!wantedRows.has(item)) item.remove();
    rows.forEach((row, at) => {
      const current = this.#list.children[at];
      if (current !== row) this.#list.insertBefore(row, current ?? null);
    });
  }

  #animate(previous: ReadonlyMap<number, RowPosition>): void {
    for (const item of this.#items()) {
      const [from, to] = [previous.get(passageIndexOf(item))?.top, this.#positions.get(passageIndexOf(item))?.top];
      if (from === undefined) item.animate({ opacity: [0, 1] }, motion);
      else if (from !== to) item.animate({ transform: [`translateY(${from}px)`, `translateY(${to}px)`] }, motion);
    }
  }

  #moveFocus(event: KeyboardEvent, by: 1 | -1): void {
    const items = this.#items();
    const at = items.findIndex((item) => item.contains(document.activeElement));
    const next = at === -1 ? undefined : items[at + by];
    if (next === undefined) return;
    event.preventDefault();
    next.querySelector("button")?.focus();
  }

  #items(): HTMLElement[] {
    return [...this.#list.children].filter((child) => child instanceof HTMLElement);
  }
}

/** The passage that a row, or something in it, is about. */
export function passageIndexOf(item: HTMLElement): number {
  return Number(item.dataset["index"]);
}
