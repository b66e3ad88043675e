import { DocumentReader } from "../documents/documents.js";
import { OpenWindow } from "../scoring/windows.js";
import type { DocumentInput, DocumentSource, TextOptions } from "../types.js";
import { abortable } from "../util/abort.js";

/** A document and its text that is scored. */
export interface ReadDocument<D> {
  readonly document: D;
  readonly text: string;
}

/** How to read the documents of a stream. */
interface WindowOptions {
  readonly text: TextOptions;
  readonly workers: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Yields the documents of a stream in windows. The next one is read when it is requested. A reader that leaves ends the source.
 * @throws RankletError `input` for a document; `aborted`; or the error of the source
 */
export async function* documentWindows<D extends DocumentInput>(
  source: DocumentSource<D>,
  { text: options, workers, signal }: WindowOptions,
): AsyncGenerator<ReadDocument<D>[], void> {
  const reader = new DocumentReader(options);
  const window = new OpenWindow<ReadDocument<D>>(workers);
  for await (const document of documentsOf(source, signal)) {
    const text = reader.read(document);
    const full = window.add({ document, text }, text.length);
    if (full !== undefined) yield full;
  }
  reader.end();
  const last = window.close();
  if (last.length > 0) yield last;
}

/** Yields the documents of a source. An abort does not wait for a source that is slow. */
async function* documentsOf<D extends DocumentInput>(source: DocumentSource<D>, signal: AbortSignal | undefined): AsyncGenerator<D, void> {
  const iterator = iteratorOf(source);
  let hasEnded = false;
  const next = async (): Promise<IteratorResult<D, unknown>> => {
    try {
      const result = await iterator.next();
      hasEnded = result.done === true;
      return result;
    } catch (error) {
      hasEnded = true;
      throw error;
    }
  };
  try {
    for (;;) {
      const result = await abortable(next(), signal);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    if (!hasEnded) {
      const ending = Promise.resolve(iterator.return?.());
      // A source that is waiting for a document answers after that.
      if (signal?.aborted === true) ending.catch(() => {});
      else await ending;
    }
  }
}

function iteratorOf<D extends DocumentInput>(source: DocumentSource<D>): Iterator<D> | AsyncIterator<D> {
  if (Symbol.iterator in source) return source[Symbol.iterator]();
  if (Symbol.asyncIterator in source) return source[Symbol.asyncIterator]();
  // In some browsers, web streams are no iterables.
  const reader = (source as ReadableStream<D>).getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<D>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
