import type { Work } from "../scoring/scorer.js";

/** Texts and their queries, which any worker can score. */
export type TextWork = Exclude<Work, { kind: "prepared" }>;

/** A piece of a work, for one worker. */
export interface Share {
  readonly work: Work;
  /** Where its pairs stand in the whole work. */
  readonly places: Uint32Array;
  /** How many workers were lost over it. */
  readonly losses: number;
}

/** What is left of a share over which a worker was lost, after so many of its pairs were scored. */
export function rest({ work, places, losses }: Share, done: number): Share {
  return { work: slice(work, done), places: places.slice(done), losses: losses + 1 };
}

/**
 * The fewest characters of a share, about those of a passage or two: the last shares decide how long workers wait for
 * each other, and fewer keep an engine less busy than their messages cost.
 */
const fewest = 640;

/** What a pair costs beside its texts, in characters: its special tokens. */
const special = 12;

/** More characters than a token usually has: of a pair that is longer than so many for each token, the end may be cut. */
const charactersPerToken = 6;

/**
 * Cuts a work into shares of neighbours, as they are asked for. Tokens are not known yet, so characters stand for them.
 * Each share is half of what an even division of the rest among the workers would give: large at first, and small
 * in the end, so that all workers are done at about the same time, whatever their speed.
 */
export class Cutter {
  readonly #work: TextWork;
  /** For each pair, the cost of all up to it. */
  readonly #costs: Float64Array;
  #next = 0;

  /** @param maxLength the most tokens of a pair */
  constructor(work: TextWork, maxLength: number) {
    this.#work = work;
    let cost = 0;
    const most = work.kind === "query" && work.reading.longDocuments === "chunk" ? Infinity : maxLength * charactersPerToken;
    this.#costs = Float64Array.from(work.documents, (document, at) => (cost += special + Math.min(most, queryOf(work, at).length + document.length)));
  }

  /** Whether all is cut. */
  get done(): boolean {
    return this.#next === this.#work.documents.length;
  }

  /** The next share, where `workers` take part; `undefined` when all is cut. */
  next(workers: number): Share | undefined {
    if (this.done) return undefined;
    const from = this.#next;
    const end = this.#work.documents.length;
    const wanted = Math.max(fewest, this.#cost(from, end) / (2 * workers));
    let to = from + 1;
    while (to < end && this.#cost(from, to) < wanted) to++;
    if (this.#cost(to, end) < fewest) to = end;
    this.#next = to;
    return { work: slice(this.#work, from, to), places: Uint32Array.from({ length: to - from }, (_, at) => from + at), losses: 0 };
  }

  #cost(from: number, to: number): number {
    return (this.#costs[to - 1] ?? 0) - (this.#costs[from - 1] ?? 0);
  }
}

function queryOf(work: TextWork, at: number): string {
  return work.kind === "query" ? work.query : (work.queries[at] as string);
}

function slice(work: Work, from: number, to?: number): Work {
  switch (work.kind) {
    case "query":
      return { ...work, documents: work.documents.slice(from, to) };
    case "pairs":
      return { ...work, queries: work.queries.slice(from, to), documents: work.documents.slice(from, to) };
    case "prepared":
      return { ...work, candidates: work.candidates?.slice(from, to) };
  }
}
