import type { DocumentLimits, Job } from "./scorer.js";

/**
 * Size of a window per worker: a few micro-batches. A call is passed to the engine one window at a time, so that few strings
 * are copied to a worker or into WebAssembly at once (its memory never shrinks), whatever the number of documents.
 */
const windowSize = { documents: 256, characters: 32_768 };

/** A window while it is filled. */
export class OpenWindow<T> {
  readonly #scale: number;
  #items: T[] = [];
  #characters = 0;

  /** @param workers the number of workers that score a window; its size is multiplied by it */
  constructor(workers: number) {
    this.#scale = Math.max(1, workers);
  }

  /** Adds an item, and returns the items if the window is full. The next item is the first of another window. */
  add(item: T, characters: number): T[] | undefined {
    this.#items.push(item);
    this.#characters += characters;
    const isFull = this.#items.length === windowSize.documents * this.#scale || this.#characters >= windowSize.characters * this.#scale;
    return isFull ? this.close() : undefined;
  }

  /** Returns the items so far, of which there may be none. */
  close(): T[] {
    const items = this.#items;
    this.#items = [];
    this.#characters = 0;
    return items;
  }
}

/**
 * Splits `items` into windows, in order.
 * @param length returns the characters of an item
 */
export function* windows<T>(items: Iterable<T>, length: (item: T) => number, workers: number): Generator<T[]> {
  const window = new OpenWindow<T>(workers);
  for (const item of items) {
    const full = window.add(item, length(item));
    if (full !== undefined) yield full;
  }
  const last = window.close();
  if (last.length > 0) yield last;
}

/** Yields the jobs that score `documents` for one query. */
export function* queryJobs(query: string, documents: Iterable<string>, limits: DocumentLimits, workers: number): Generator<Job> {
  for (const window of windows(documents, ({ length }) => length, workers)) {
    yield { kind: "query", query, documents: window, limits };
  }
}

/** Yields the jobs that score `pairs`. */
export function* pairJobs(pairs: Iterable<readonly [query: string, document: string]>, workers: number): Generator<Job> {
  for (const window of windows(pairs, ([query, document]) => query.length + document.length, workers)) {
    yield { kind: "pairs", queries: window.map(([query]) => query), documents: window.map(([, document]) => document) };
  }
}
