import { type FileReader, unreadable } from "./file-reader.js";

/** Bytes up to this number are read and dropped, where a stream that begins after them would take longer. */
const maxDroppedBytes = 262_144;

/**
 * Reads a Blob as a stream. In Chromium that takes a third of the processor time of slices, which are requests to another
 * process.
 */
export class BlobReader implements FileReader {
  readonly #name: string;
  readonly #blob: Blob;
  #stream: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Bytes that the stream has brought and nobody has taken, and their offset in the file. */
  #bytes = new Uint8Array();
  #position = 0;

  constructor(name: string, blob: Blob) {
    this.#name = name;
    this.#blob = blob;
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    const stream = this.#streamAt(start);
    for (;;) {
      this.#take(start - this.#position);
      if (this.#bytes.length > 0) return this.#take(end - start);
      this.#bytes = await this.#next(stream);
    }
  }

  close(): void {
    this.#stream?.cancel().catch(() => {}); // The stream has failed.
    this.#stream = undefined;
  }

  /** Returns the stream, or a new one if it does not come to `start` soon. */
  #streamAt(start: number): ReadableStreamDefaultReader<Uint8Array> {
    const dropped = start - this.#position;
    if (this.#stream !== undefined && dropped >= 0 && dropped - this.#bytes.length <= maxDroppedBytes) return this.#stream;
    this.close();
    this.#bytes = new Uint8Array();
    this.#position = start;
    return (this.#stream = this.#blob.slice(start).stream().getReader());
  }

  /** Takes up to `count` bytes from the start of those that are there. */
  #take(count: number): Uint8Array {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(taken.length);
    this.#position += taken.length;
    return taken;
  }

  async #next(stream: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
    try {
      const { done, value } = await stream.read();
      if (!done) return value as Uint8Array<ArrayBuffer>;
    } catch (error) {
      throw unreadable(this.#name, error);
    }
    throw unreadable(this.#name, `it ends after ${this.#position} bytes`);
  }
}
