import type { DocumentLimits, Job } from "./scorer.js";

/**
 * A call is handed to the engine a window at a time: what is copied to a worker, or into WebAssembly (whose memory
 * never shrinks), stays small however many documents there are. A window is some micro-batches of work for
 * each worker.
 */
const windowSize = { documents: 256, characters: 32_768 };

/**
 * Cuts `items` into windows, in order; `length` gives an item's characters.
 * @param workers how many share a window out; it is so many times as large
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

/** The works that score one query with `documents`. */
export function* queryJobs(
  query: string,
  documents: Iterable<string>,
  limits: DocumentLimits,
  workers: number,
): Generator<Job> {
  for (const window of windows(documents, ({ length }) => length, workers)) {
    yield { kind: "query", query, documents: window, limits };
  }
}

/** The works that score `pairs`. */
export function* pairJobs(pairs: Iterable<readonly [query: string, document: string]>, workers: number): Generator<Job> {
  for (const window of windows(pairs, ([query, document]) => query.length + document.length, workers)) {
    yield { kind: "pairs", queries: window.map(([query]) => query), documents: window.map(([, document]) => document) };
  }
}
