import { isObject } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";
import { BlobReader } from "./blob-reader.js";
import { type FileReader, unreadable } from "./file-reader.js";

/**
 * A file that a worker reads while it is downloaded. `port` delivers its pieces as Blobs, in order. A message that is no Blob
 * ends the file.
 */
export interface ArrivingData {
  /** In bytes. */
  readonly size: number;
  readonly port: MessagePort;
}

/** Whether a file in a message is an arriving one. */
export function isArriving(data: unknown): data is ArrivingData {
  if (!isObject(data)) return false;
  const { size, port } = data;
  // In Node, the tag of a port is that of its base class.
  return Number.isSafeInteger(size) && (size as number) >= 0 && isObject(port) && typeof port["postMessage"] === "function";
}

/** Reads a file that is still being downloaded, forward only. A piece that has been read is freed. */
export class ArrivingReader implements FileReader {
  readonly #name: string;
  readonly #port: MessagePort;
  /** The pieces that have arrived, from the one that is read now. */
  readonly #pieces: Blob[] = [];
  /** The offset of the first of these pieces in the file. */
  #offset = 0;
  /** Reads the first of these pieces. */
  #reader: BlobReader | undefined;
  /** Whether no more pieces come. */
  #isEnded = false;
  #notify: () => void = () => {};

  constructor(name: string, { port }: ArrivingData) {
    this.#name = name;
    this.#port = port;
    // A message that cannot be deserialized has no Blob.
    port.onmessage = port.onmessageerror = ({ data }: MessageEvent<unknown>) => {
      if (typeTag(data) !== "Blob") this.#isEnded = true;
      if (!this.#isEnded) this.#pieces.push(data as Blob);
      this.#notify();
    };
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    for (;;) {
      const piece = this.#pieces[0];
      if (start < this.#offset || (piece === undefined && this.#isEnded))
        throw unreadable(this.#name, `it ended after ${this.#offset} bytes`);
      if (piece === undefined) await new Promise<void>((resolve) => (this.#notify = resolve));
      else if (start >= this.#offset + piece.size) this.#drop(piece);
      else {
        this.#reader ??= new BlobReader(this.#name, piece);
        return this.#reader.read(start - this.#offset, Math.min(end - this.#offset, piece.size));
      }
    }
  }

  close(): void {
    this.#reader?.close();
    this.#port.close();
  }

  #drop(piece: Blob): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#pieces.shift();
    this.#offset += piece.size;
  }
}
