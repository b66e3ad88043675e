import { draw } from "../ui/dom.js";
import type { PassageList } from "./passage-list.js";

/** How far a line extends beyond the list, in pixels, if the row at its other end is not shown. */
const overshoot = 28;

/** The lines that connect a passage's rows in both lists. */
export class RankChangeLines {
  readonly #svg: SVGSVGElement;
  readonly #paths = new Map<number, SVGPathElement>();

  constructor(svg: SVGSVGElement) {
    this.#svg = svg;
  }

  /** Draws a line for each passage that is in both orders and shown in at least one list. */
  draw(left: PassageList, right: PassageList, inBoth: ReadonlySet<number>, answer: number | undefined): void {
    const { clientWidth: width, clientHeight: height } = this.#svg;
    const shownIndices = [...new Set([...left.shown, ...right.shown])].filter((index) => inBoth.has(index));
    for (const index of this.#paths.keys()) if (!shownIndices.includes(index)) this.#remove(index);
    for (const index of shownIndices) {
      const [from, to] = [left.centerOf(index), right.centerOf(index)];
      const path = this.#pathOf(index);
      path.setAttribute("d", curve(width, from ?? height + overshoot, to ?? height + overshoot));
      path.setAttribute("class", lineClass(from, to) + (index === answer ? " answer" : ""));
    }
  }

  /** Highlights the line of one passage, or none. */
  highlight(index: number | undefined): void {
    this.#svg.classList.toggle("highlighting", index !== undefined && this.#paths.has(index));
    for (const [at, path] of this.#paths) path.toggleAttribute("data-active", at === index);
  }

  #pathOf(index: number): SVGPathElement {
    const path = this.#paths.get(index) ?? draw("path", {});
    this.#paths.set(index, path);
    if (!path.isConnected) this.#svg.append(path);
    return path;
  }

  #remove(index: number): void {
    this.#paths.get(index)?.remove();
    this.#paths.delete(index);
  }
}

function curve(width: number, from: number, to: number): string {
  const bend = width * 0.5;
  return `M0 ${from} C${bend} ${from} ${width - bend} ${to} ${width} ${to}`;
}

function lineClass(from: number | undefined, to: number | undefined): string {
  if (from === undefined) return "rises appears";
  if (to === undefined) return "falls leaves";
  return to < from ? "rises" : to > from ? "falls" : "stays";
}
