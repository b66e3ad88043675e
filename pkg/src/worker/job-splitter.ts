import type { Job } from "../scoring/scorer.js";

/** A job that any worker can score a part of. */
export type SplitJob = Exclude<Job, { kind: "prepared" }>;

/** A part of a job, for one worker. */
export interface JobChunk {
  readonly job: Job;
  /** For each of its pairs, the index in the whole job. */
  readonly indices: Uint32Array;
  /** The number of workers that were lost while they scored it. */
  readonly losses: number;
}

/** Returns what remains of a chunk whose worker was lost after it had scored `done` pairs. */
export function remainder({ job, indices, losses }: JobChunk, done: number): JobChunk {
  return { job: slice(job, done), indices: indices.slice(done), losses: losses + 1 };
}

/**
 * Min size of a chunk in characters, about a passage or two. Smaller chunks cost more in messages than they save in waiting
 * for the last worker.
 */
const minChunkCharacters = 640;

/** Cost of a pair's special tokens, in characters. */
const specialTokenCharacters = 12;

/** Upper estimate of a token's characters. Text beyond `maxLength` such tokens is probably truncated, and costs nothing. */
const maxCharactersPerToken = 6;

/**
 * Splits a job into chunks of consecutive pairs, on demand. The cost of a pair is estimated from its characters, because it
 * is not tokenized yet. A chunk has half of an even share of the remaining cost: chunks are large at first and small at the
 * end, so that workers of different speed finish at about the same time (guided self-scheduling).
 */
export class JobSplitter {
  readonly #job: SplitJob;
  readonly #inOrder: boolean;
  /** Cumulative costs: entry `i` is the cost of pairs 0 to `i`. */
  readonly #costs: Float64Array;
  #next = 0;

  /**
   * @param maxLength max tokens of a pair
   * @param inOrder whether chunks are small, so that pairs are scored about in order
   */
  constructor(job: SplitJob, maxLength: number, inOrder = false) {
    this.#job = job;
    this.#inOrder = inOrder;
    let cost = 0;
    const maxCost = job.kind === "query" && job.limits.longDocuments === "chunk" ? Infinity : maxLength * maxCharactersPerToken;
    this.#costs = Float64Array.from(lengths(job), (length) => (cost += specialTokenCharacters + Math.min(maxCost, length)));
  }

  /** Whether no pairs remain. */
  get done(): boolean {
    return this.#next === this.#costs.length;
  }

  /** Returns the next chunk for a pool of `workers`, or `undefined` if no pairs remain. */
  next(workers: number): JobChunk | undefined {
    if (this.done) return undefined;
    const from = this.#next;
    const end = this.#costs.length;
    const target = this.#inOrder ? minChunkCharacters : Math.max(minChunkCharacters, this.#cost(from, end) / (2 * workers));
    // A single worker takes all pairs in order. If it is a chain of workers, it never waits for the end of a chunk.
    let to = workers === 1 ? end : from + 1;
    while (to < end && this.#cost(from, to) < target) to++;
    if (this.#cost(to, end) < minChunkCharacters) to = end;
    this.#next = to;
    return { job: slice(this.#job, from, to), indices: Uint32Array.from({ length: to - from }, (_, offset) => from + offset), losses: 0 };
  }

  #cost(from: number, to: number): number {
    return (this.#costs[to - 1] ?? 0) - (this.#costs[from - 1] ?? 0);
  }
}

/** Returns the characters of each pair. */
function lengths(job: SplitJob): number[] {
  switch (job.kind) {
    case "query":
      return job.documents.map((document) => job.query.length + document.length);
    case "pairs":
      return job.documents.map((document, index) => (job.queries[index] as string).length + document.length);
    case "variants":
      return Array.from(job.variants, () => job.pair.query.length + job.pair.document.length);
  }
}

function slice(job: Job, from: number, to?: number): Job {
  switch (job.kind) {
    case "query":
      return { ...job, documents: job.documents.slice(from, to) };
    case "pairs":
      return { ...job, queries: job.queries.slice(from, to), documents: job.documents.slice(from, to) };
    case "prepared":
      return { ...job, candidates: job.candidates?.slice(from, to) };
    case "variants":
      return { ...job, variants: job.variants.slice(from, to) };
  }
}
