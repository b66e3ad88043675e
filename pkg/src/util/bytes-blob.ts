// Some runtimes without WebAssembly have no Blob either.
const Base = globalThis.Blob ?? Object;

/**
 * A file in the memory of this thread, or in memory that threads share. Workers get it without the copies that a Blob takes,
 * which is in another process in browsers: one when it is created, and one when a worker reads it.
 */
export class BytesBlob extends Base {
  readonly content: Uint8Array;

  constructor(content: Uint8Array) {
    super();
    this.content = content;
  }

  override get size(): number {
    return this.content.length;
  }

  override slice(start?: number, end?: number): Blob {
    return new Blob([this.content.slice(start, end) as Uint8Array<ArrayBuffer>]);
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return this.content.slice().buffer as ArrayBuffer;
  }

  override text(): Promise<string> {
    return this.slice().text();
  }

  override stream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.slice().stream();
  }
}

/** Copies a Blob into memory that threads share. */
export async function copyToShared(blob: Blob): Promise<Uint8Array<SharedArrayBuffer>> {
  const bytes = new Uint8Array(new SharedArrayBuffer(blob.size));
  let at = 0;
  for await (const piece of blob.stream()) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
