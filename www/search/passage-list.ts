import { motionAllowed } from "../ui/dom.js";
import { PassageRow, type RowContent } from "./passage-row.js";

const motion: KeyframeAnimationOptions = { duration: 420, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };

/** The position of a row in its list, in pixels. */
interface RowPosition {
  readonly top: number;
  readonly height: number;
}

/**
 * A list of passages. Each row is kept when the order changes, and moves to its new position in an animation. Rows are
 * positioned by transforms, so a new order causes no layout and moves nothing around the list.
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

  /** Shows these passages in this order. */
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
    // An element loses the focus when it is moved in the document.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#list.contains(focused)) focused.focus({ preventScroll: true });
    this.layOut();
    if (motionAllowed()) this.#animate(previous);
  }

  /** Positions the rows one below the other. Must be called again when a row is expanded or the width changes. */
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
    this.#list.style.setProperty("height", `${top + 2}px`); // 2px: both borders.
  }

  /** Removes all rows, because another set of documents has other texts at the same indices. */
  clear(): void {
    this.#rows.clear();
    this.#list.replaceChildren();
    this.layOut();
  }

  /** Returns the center of a passage's row in pixels from the top of the list; `undefined` if it is not shown. */
  centerOf(index: number): number | undefined {
    const position = this.#positions.get(index);
    return position && position.top + position.height / 2;
  }

  /** The indices of the passages shown, in order. */
  get shown(): number[] {
    return this.#items().map(passageIndexOf);
  }

  /** Highlights one passage, or none. */
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

/** Returns the index of a row's passage. */
export function passageIndexOf(item: HTMLElement): number {
  return Number(item.dataset["index"]);
}
