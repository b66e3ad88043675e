/** Max bytes that are read before `next` asks for them. */
const maxBytes = 1_048_576;

/**
 * Reads a stream ahead. A stream that fails drops bytes that have arrived and are not read yet. Reading ahead saves them, so
 * they are not fetched again.
 */
export class ReadAhead {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  #bytes = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;
  /** Called when something has changed. */
  #notify: () => void = () => {};

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = stream.getReader();
    void this.#read();
  }

  /** Returns the next bytes, or `undefined` at the end. Rejects as the stream does, after the bytes that have arrived. */
  async next(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    while (this.#pieces.length === 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isEnded) return undefined;
      await this.#change();
    }
    const piece = this.#pieces.shift() as Uint8Array<ArrayBuffer>;
    this.#bytes -= piece.length;
    this.#notify();
    return piece;
  }

  async cancel(): Promise<void> {
    this.#isEnded = true;
    this.#notify();
    await this.#reader.cancel().catch(() => {}); // The stream has failed.
  }

  async #read(): Promise<void> {
    try {
      while (!this.#isEnded) {
        const { done, value } = await this.#reader.read();
        if (done) break;
        this.#pieces.push(value);
        this.#bytes += value.length;
        this.#notify();
        while (this.#bytes >= maxBytes && !this.#isEnded) await this.#change();
      }
      this.#isEnded = true;
    } catch (error) {
      this.#failure = { error };
    }
    this.#notify();
  }

  /** Waits for a change. Only one of the reading and the asking side waits at a time. */
  #change(): Promise<void> {
    return new Promise((resolve) => (this.#notify = resolve));
  }
}
