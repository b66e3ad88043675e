import type { Job } from "../scoring/scorer.js";

/** Texts and their queries, which any worker can score. */
export type TextJob = Exclude<Job, { kind: "prepared" }>;

/** A piece of a work, for one worker. */
export interface JobChunk {
  readonly job: Job;
  /** Where its pairs stand in the whole work. */
  readonly indices: Uint32Array;
  /** How many workers were lost over it. */
  readonly losses: number;
}

/** What is left of a share over which a worker was lost, after so many of its pairs were scored. */
export function remainder({ job, indices, losses }: JobChunk, done: number): JobChunk {
  return { job: slice(job, done), indices: indices.slice(done), losses: losses + 1 };
}

/**
 * The fewest characters of a share, about those of a passage or two: the last shares decide how long workers wait for
 * each other, and fewer keep an engine less busy than their messages cost.
 */
const minChunkCharacters = 640;

/** What a pair costs beside its texts, in characters: its special tokens. */
const specialTokenCharacters = 12;

/** More characters than a token usually has: of a pair that is longer than so many for each token, the end may be cut. */
const maxCharactersPerToken = 6;

/**
 * Cuts a work into shares of neighbours, as they are asked for. Tokens are not known yet, so characters stand for them.
 * Each share is half of what an even division of the rest among the workers would give: large at first, and small
 * in the end, so that all workers are done at about the same time, whatever their speed.
 */
export class JobSplitter {
  readonly #job: TextJob;
  /** For each pair, the cost of all up to it. */
  readonly #costs: Float64Array;
  #next = 0;

  /** @param maxLength the most tokens of a pair */
  constructor(job: TextJob, maxLength: number) {
    this.#job = job;
    let cost = 0;
    const most = job.kind === "query" && job.limits.longDocuments === "chunk" ? Infinity : maxLength * maxCharactersPerToken;
    this.#costs = Float64Array.from(job.documents, (document, at) => (cost += specialTokenCharacters + Math.min(most, queryOf(job, at).length + document.length)));
  }

  /** Whether all is cut. */
  get done(): boolean {
    return this.#next === this.#job.documents.length;
  }

  /** The next share, where `workers` take part; `undefined` when all is cut. */
  next(workers: number): JobChunk | undefined {
    if (this.done) return undefined;
    const from = this.#next;
    const end = this.#job.documents.length;
    const wanted = Math.max(minChunkCharacters, this.#cost(from, end) / (2 * workers));
    let to = from + 1;
    while (to < end && this.#cost(from, to) < wanted) to++;
    if (this.#cost(to, end) < minChunkCharacters) to = end;
    this.#next = to;
    return { job: slice(this.#job, from, to), indices: Uint32Array.from({ length: to - from }, (_, at) => from + at), losses: 0 };
  }

  #cost(from: number, to: number): number {
    return (this.#costs[to - 1] ?? 0) - (this.#costs[from - 1] ?? 0);
  }
}

function queryOf(job: TextJob, at: number): string {
  return job.kind === "query" ? job.query : (job.queries[at] as string);
}

function slice(job: Job, from: number, to?: number): Job {
  switch (job.kind) {
    case "query":
      return { ...job, documents: job.documents.slice(from, to) };
    case "pairs":
      return { ...job, queries: job.queries.slice(from, to), documents: job.documents.slice(from, to) };
    case "prepared":
      return { ...job, candidates: job.candidates?.slice(from, to) };
  }
}
