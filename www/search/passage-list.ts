import { ScorePanel } from "../explain/score-panel.js";
import { motionAllowed } from "../ui/dom.js";
import { PassageRow, type RowContent } from "./passage-row.js";

const motion: KeyframeAnimationOptions = { duration: 420, easing: "cubic-bezier(0.2, 0.8, 0.2, 1)" };

/** The position of a row in its list, in pixels. */
interface RowPosition {
  readonly top: number;
  readonly height: number;
}

/** Receives events of a list whose rows are explained. */
export interface RowListener {
  /** The user opened or closed a row. */
  readonly onToggle: (row: PassageRow) => void;
  /** The user asks for a comparison with the first passage. */
  readonly onCompare: (row: PassageRow) => void;
  /** Rows came near the visible part of the page. */
  readonly onVisible: () => void;
}

/**
 * A list of passages. Each row is kept when the order changes, and moves to its new position in an animation. Rows are
 * positioned by transforms, so a new order causes no layout and moves nothing around the list.
 */
export class PassageList {
  readonly #list: HTMLOListElement;
  readonly #rows = new Map<number, PassageRow>();
  readonly #visible = new Set<Element>();
  #positions: ReadonlyMap<number, RowPosition> = new Map();
  #listener: RowListener | undefined;
  #observer: IntersectionObserver | undefined;

  constructor(list: HTMLOListElement) {
    this.#list = list;
    list.addEventListener("click", ({ target }) => {
      const button = target instanceof Element ? target.closest("button") : null;
      const row = this.rows.find(({ item }) => item.contains(button));
      if (row === undefined) return;
      if (button?.classList.contains("passage")) this.#toggle(row);
      else this.#listener?.onCompare(row);
    });
    list.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") this.#moveFocus(event, 1);
      if (event.key === "ArrowUp") this.#moveFocus(event, -1);
      if (event.key === "Escape") this.#closeFocused(event);
    });
  }

  /** Gives the rows a panel that explains their score. Must be called before the first row is shown. */
  listen(listener: RowListener): void {
    this.#listener = listener;
    this.#observer = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          if (isIntersecting) this.#visible.add(target);
          else this.#visible.delete(target);
        }
        listener.onVisible();
      },
      { rootMargin: "50% 0px" },
    );
  }

  /** The rows shown, in order. */
  get rows(): PassageRow[] {
    return this.shown.map((index) => this.row(index)).filter((row) => row !== undefined);
  }

  /** The indices of the passages whose rows are near the visible part of the page. */
  get visibleIndices(): number[] {
    return this.#items()
      .filter((item) => this.#visible.has(item))
      .map(passageIndexOf);
  }

  /** Returns the row of a passage; `undefined` if it was never shown. */
  row(index: number): PassageRow | undefined {
    return this.#rows.get(index);
  }

  /** Removes the explanations of an earlier ranking from all rows. */
  outdate(): void {
    for (const row of this.#rows.values()) {
      if (row.item.isConnected) row.outdate();
      else this.#forget(row);
    }
  }

  /** Shows these passages in this order. */
  show(contents: readonly (RowContent & { readonly index: number })[]): void {
    const previous = this.#positions;
    const focused = document.activeElement;
    const rows = contents.map((content) => {
      const row = this.#rows.get(content.index) ?? this.#addRow(content.index);
      row.show(content);
      return row.item;
    });
    this.#arrange(rows);
    // An element loses the focus when it is moved in the document.
    if (focused instanceof HTMLElement && focused !== document.activeElement && this.#list.contains(focused))
      focused.focus({ preventScroll: true });
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
    this.#observer?.disconnect();
    this.#visible.clear();
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

  #addRow(index: number): PassageRow {
    const row = new PassageRow(index, this.#listener && (() => new ScorePanel()));
    this.#rows.set(index, row);
    this.#observer?.observe(row.item);
    return row;
  }

  #forget({ index, item }: PassageRow): void {
    this.#rows.delete(index);
    this.#observer?.unobserve(item);
    this.#visible.delete(item);
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

  #toggle(row: PassageRow): void {
    row.isOpen = !row.isOpen;
    this.layOut();
    this.#listener?.onToggle(row);
  }

  /** Closes the row that has the focus, if it is open. */
  #closeFocused(event: KeyboardEvent): void {
    const row = this.rows.find(({ item, isOpen }) => isOpen && item.contains(document.activeElement));
    if (row === undefined) return;
    event.preventDefault();
    row.item.querySelector("button")?.focus();
    this.#toggle(row);
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
