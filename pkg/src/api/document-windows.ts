import { DocumentReader } from "../documents/documents.js";
import { OpenWindow } from "../scoring/windows.js";
import type { DocumentInput, DocumentSource, TextOptions } from "../types.js";
import { abortable, throwIfAborted } from "../util/abort.js";

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
      throwIfAborted(signal);
      const result = await abortable(next(), signal);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    if (!hasEnded) {
      // A function, so that an error that `return` throws rejects like one of its promise.
      const ending = (async () => iterator.return?.())();
      // A source that is waiting for a document answers after that.
      if (signal?.aborted === true) ending.catch(() => {});
      else await ending;
    }
  }
}

function iteratorOf<D extends DocumentInput>(source: DocumentSource<D>): Iterator<D> | AsyncIterator<D> {
  if (Symbol.iterator in source) return source[Symbol.iterator]();
  // Before the asynchronous iterator, which some browsers' web streams lack, and whose end waits for a read that is pending.
  if ("getReader" in source) return readerOf(source);
  return source[Symbol.asyncIterator]();
}

/** Returns an iterator of a web stream. It cancels the stream even while it reads, and unlocks it at the end. */
function readerOf<D extends DocumentInput>(stream: ReadableStream<D>): AsyncIterator<D> {
  const reader = stream.getReader();
  return {
    next: async () => {
      let hasEnded = true;
      try {
        const result = await reader.read();
        hasEnded = result.done;
        return result as IteratorResult<D>;
      } finally {
        if (hasEnded) reader.releaseLock();
      }
    },
    return: async () => {
      const canceled = reader.cancel();
      reader.releaseLock();
      await canceled;
      return { done: true, value: undefined };
    },
  };
}
