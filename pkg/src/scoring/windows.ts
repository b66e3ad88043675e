import type { DocumentLimits, Job } from "./scorer.js";

/**
 * Size of a window per worker: a few micro-batches. A call is passed to the engine one window at a time, so that few strings
 * are copied to a worker or into WebAssembly at once (its memory never shrinks), whatever the number of documents.
 */
const windowSize = { documents: 256, characters: 32_768 };

/**
 * Splits `items` into windows, in order.
 * @param length returns the characters of an item
 * @param workers the number of workers that score a window; its size is multiplied by it
 */
export function* windows<T>(items: Iterable<T>, length: (item: T) => number, workers: number): Generator<T[]> {
  const scale = Math.max(1, workers);
  let window: T[] = [];
  let characters = 0;
  for (const item of items) {
    window.push(item);
    characters += length(item);
    if (window.length === windowSize.documents * scale || characters >= windowSize.characters * scale) {
      yield window;
      window = [];
      characters = 0;
    }
  }
  if (window.length > 0) yield window;
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
