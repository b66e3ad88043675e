import type { FileVersion } from "./file-version.js";

/** Collects the bytes of one download. */
export interface Sink {
  /** The number of bytes so far. */
  readonly length: number;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Drops all bytes, because those of another version or the same ones again follow. */
  restart(version: FileVersion): Promise<void>;
  /** Returns all bytes. */
  finish(): Promise<Blob>;
  /** Ends a download that failed. */
  close(): Promise<void>;
}

/**
 * Collects the bytes in a Blob. They are streamed into it: Chromium cannot read a Blob of 400 MB that was made from buffers
 * in the page's memory.
 */
export class BlobSink implements Sink {
  #length = 0;
  #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  #blob: Promise<Blob>;

  constructor() {
    [this.#writer, this.#blob] = newBlob();
  }

  get length(): number {
    return this.#length;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#writer.write(bytes);
    this.#length += bytes.length;
  }

  async restart(): Promise<void> {
    await this.close();
    [this.#writer, this.#blob] = newBlob();
    this.#length = 0;
  }

  async finish(): Promise<Blob> {
    await this.#writer.close();
    return this.#blob;
  }

  async close(): Promise<void> {
    await this.#writer.abort().catch(() => {});
  }
}

function newBlob(): [WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>, Promise<Blob>] {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const blob = new Response(readable).blob();
  blob.catch(() => {}); // Awaited by finish, or not needed any more.
  return [writable.getWriter(), blob];
}
