import type { Span } from "../../pkg/dist/index.js";
import { make } from "../ui/dom.js";

/** A part of a text and what it adds to the logit. */
export interface HeatUnit extends Span {
  readonly contribution: number;
}

/** The number of strengths that the style sheet distinguishes. */
const levels = 4;

/** Smaller shares of the largest contribution stay unmarked. */
const minShare = 0.08;

/** A text as a heat map. Its nodes are created once, and a change of contributions changes only their colors and lines. */
export class HeatText {
  readonly nodes: readonly Node[];
  readonly #spans = new Map<number, HTMLElement>();

  /** @param units parts that do not overlap, in any order */
  constructor(text: string, units: readonly Span[]) {
    this.nodes = Array.from(pieces(text, units), ({ piece, span }) => {
      if (span === undefined) return document.createTextNode(piece);
      const node = make("span", "heat", piece);
      this.#spans.set(span.start, node);
      return node;
    });
  }

  /** @param max the magnitude of a contribution that is shown strongest */
  show(units: readonly HeatUnit[], max: number): void {
    for (const { start, contribution } of units) {
      const span = this.#spans.get(start);
      if (span !== undefined) setHeat(span, contribution, max);
    }
  }
}

/** Shows what a part adds: by a color, and by a line that is solid if the part raises the score and dashed if it lowers it. */
export function setHeat(span: HTMLElement, contribution: number, max: number): void {
  const share = max > 0 ? Math.min(1, Math.abs(contribution) / max) : 0;
  span.dataset["level"] = String(share < minShare ? 0 : Math.ceil(share * levels));
  span.dataset["effect"] = contribution < 0 ? "lowers" : "raises";
}

/** Splits a text into spans and the parts between them. */
export function* pieces<S extends Span>(
  text: string,
  spans: readonly S[],
): Generator<{ readonly piece: string; readonly span: S | undefined }> {
  let end = 0;
  for (const span of [...spans].sort((a, b) => a.start - b.start)) {
    if (span.start > end) yield { piece: text.slice(end, span.start), span: undefined };
    yield { piece: text.slice(span.start, span.end), span };
    end = span.end;
  }
  if (end < text.length) yield { piece: text.slice(end), span: undefined };
}
