import { BytesBlob } from "../util/bytes-blob.js";
import type { FileVersion } from "./file-version.js";

/**
 * Size in bytes of large files. They are streamed into Blobs, which workers can read meanwhile. Smaller ones that are not stored stay
 * in memory, because a Blob is copied once more for each worker (docs/design/loading.md).
 */
export const largeFileBytes = 2 ** 25;

/** Blobs of a large file are streamed in pieces of this size, so that a worker can read them before the file is complete. */
const pieceBytes = 2 ** 24;

/** Receives the content of a download as it arrives. */
export interface PieceListener {
  /** Receives the next piece. */
  onPiece(piece: Blob): void;
  /** Called once if the pieces so far become invalid, because the file begins again or they cannot be read. No more come. */
  onInvalidated(): void;
}

/** Collects the bytes of one download. */
export interface Sink {
  /** The number of bytes so far. */
  readonly length: number;
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Drops all bytes, because the download begins again, perhaps with another version of the file. */
  restart(version: FileVersion): Promise<void>;
  /** Returns all bytes. */
  finish(): Promise<Blob>;
  /** Ends a download that failed. */
  close(): Promise<void>;
}

/**
 * Collects the bytes in Blobs. They are streamed into them: Chromium cannot read a Blob of 400 MB that was made from buffers
 * in the page's memory.
 */
export class BlobSink implements Sink {
  #listener: PieceListener | undefined;
  #length = 0;
  #pieces: Blob[] = [];
  /** The piece that is being written. */
  #current: StreamedBlob | undefined;

  constructor(listener?: PieceListener) {
    this.#listener = listener;
  }

  get length(): number {
    return this.#length;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#current ??= new StreamedBlob();
    await this.#current.write(bytes);
    this.#length += bytes.length;
    if (this.#current.length >= pieceBytes) await this.#endPiece();
  }

  async restart(): Promise<void> {
    await this.close();
    this.#listener?.onInvalidated();
    this.#listener = undefined;
    this.#pieces = [];
    this.#length = 0;
  }

  async finish(): Promise<Blob> {
    await this.#endPiece();
    const [first, ...others] = this.#pieces;
    return first !== undefined && others.length === 0 ? first : new Blob(this.#pieces);
  }

  async close(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.close();
  }

  async #endPiece(): Promise<void> {
    const piece = await this.#current?.finish();
    this.#current = undefined;
    if (piece === undefined) return;
    this.#pieces.push(piece);
    this.#listener?.onPiece(piece);
  }
}

/** A Blob that bytes are streamed into. */
class StreamedBlob {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #blob: Promise<Blob>;
  length = 0;

  constructor() {
    const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
    this.#blob = new Response(readable).blob();
    this.#blob.catch(() => {}); // Awaited by `finish`, or not needed any more.
    this.#writer = writable.getWriter();
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#writer.write(bytes);
    this.length += bytes.length;
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
  return bytes !== undefined && bytes <= largeFileBytes ? new MemorySink(bytes) : new BlobSink();
}
