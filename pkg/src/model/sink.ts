import { BytesBlob } from "../util/bytes-blob.js";
import type { FileVersion } from "./file-version.js";

/** Files up to this size stay in the memory of this thread. */
const maxBytesInMemory = 2 ** 25;

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

/** Collects the bytes in the memory of this thread. */
class MemorySink implements Sink {
  #bytes: Uint8Array<ArrayBuffer>;
  length = 0;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const end = this.length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.length);
    this.length = end;
  }

  async restart(): Promise<void> {
    this.length = 0;
  }

  async finish(): Promise<Blob> {
    return new BytesBlob(this.#bytes.subarray(0, this.length));
  }

  async close(): Promise<void> {}
}

/** Returns a sink for a file of about `bytes` bytes, if that is known. */
export function newSink(bytes: number | undefined): Sink {
  return bytes !== undefined && bytes <= maxBytesInMemory ? new MemorySink(bytes) : new BlobSink();
}

function newBlob(): [WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>, Promise<Blob>] {
  const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
  const blob = new Response(readable).blob();
  blob.catch(() => {}); // Awaited by finish, or not needed any more.
  return [writable.getWriter(), blob];
}
