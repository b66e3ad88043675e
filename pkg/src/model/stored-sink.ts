import { RankletError } from "../errors.js";
import type { Store } from "../platform/store.js";
import type { FileVersion } from "./file-version.js";
import { BlobSink, type PieceListener, type Sink } from "./sink.js";

/** Files are written in pieces of at most this size. A process or tab that is killed loses the last one. */
const maxPieceBytes = 8_388_608;
/** Min number of pieces of a file, so that a killed process loses little of a small one too. */
const minPieces = 64;

/** Receives the reports of a sink. */
interface StoredSinkListener {
  /** Called before the bytes of a version are written. */
  readonly onStart: (version: FileVersion) => Promise<void>;
  /** Called once if the store fails. The sink then collects the bytes in memory. */
  readonly onFailure: (error: unknown) => void;
  readonly onFinish: () => void;
  /** Receives the pieces that the store has. */
  readonly pieces?: PieceListener | undefined;
}

/** Writes the bytes of a download to a store as they arrive. */
export class StoredSink implements Sink {
  readonly #store: Store;
  readonly #path: string;
  readonly #listener: StoredSinkListener;
  /** Receives pieces, as long as they are valid. */
  #pieces: PieceListener | undefined;
  /** The number of bytes in the store. */
  #stored: number;
  #buffer: Uint8Array<ArrayBuffer>[] = [];
  #buffered = 0;
  #pieceBytes = 0;
  /** The write to the store that runs now. It does not reject. */
  #running: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  /** Collects the file if the store has failed. */
  #memory: BlobSink | undefined;

  /** @param start the number of bytes that the file has in the store */
  constructor(store: Store, path: string, start: number, listener: StoredSinkListener) {
    this.#store = store;
    this.#path = path;
    this.#stored = start;
    this.#listener = listener;
    this.#pieces = listener.pieces;
  }

  get length(): number {
    return this.#memory?.length ?? this.#stored + this.#buffered;
  }

  async write(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#memory !== undefined) return this.#memory.write(bytes);
    this.#buffer.push(bytes);
    this.#buffered += bytes.length;
    if (this.#buffered >= this.#pieceBytes) await this.#flush();
  }

  /** Begins to write a version, after the bytes of it that the store has. Called once, before everything else. */
  async start(version: FileVersion): Promise<void> {
    this.#pieceBytes = Math.min(maxPieceBytes, (version.bytes ?? 0) / minPieces);
    try {
      await this.#run(async () => {
        if (this.#stored === 0) await this.#store.remove(this.#path);
        await this.#listener.onStart(version);
      });
    } catch (error) {
      await this.#moveToMemory(error);
    }
  }

  async restart(version: FileVersion): Promise<void> {
    if (this.#memory !== undefined) return this.#memory.restart();
    this.#invalidatePieces();
    this.#buffer = [];
    this.#buffered = 0;
    this.#stored = 0;
    await this.start(version);
  }

  async finish(): Promise<Blob> {
    await this.#flush();
    if (this.#memory !== undefined) return this.#memory.finish();
    if (this.#stored === 0) return new Blob([]);
    const content = await this.#store.get(this.#path).catch(() => undefined);
    if (content?.size !== this.#stored) throw this.#removed();
    this.#listener.onFinish();
    return content;
  }

  /** Stops writing to the store. When this resolves, nothing writes any more. A download that continues fails. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async close(): Promise<void> {
    if (!this.#isStopped) await this.#flush();
    await this.#memory?.close();
  }

  async #flush(): Promise<void> {
    if (this.#buffered === 0 || this.#memory !== undefined) return;
    try {
      await this.#run(() => this.#store.append(this.#path, this.#stored, new Blob(this.#buffer)));
      await this.#reportPiece();
      this.#stored += this.#buffered;
      this.#buffer = [];
      this.#buffered = 0;
    } catch (error) {
      await this.#moveToMemory(error);
    }
  }

  /** Reports the piece that was just written. If the store cannot return it, its readers wait for the whole file. */
  async #reportPiece(): Promise<void> {
    if (this.#pieces === undefined) return;
    const piece = await this.#store.piece?.(this.#path, this.#stored).catch(() => undefined);
    if (piece?.size === this.#buffered) this.#pieces.onPiece(piece);
    else this.#invalidatePieces();
  }

  #invalidatePieces(): void {
    this.#pieces?.onInvalidated();
    this.#pieces = undefined;
  }

  async #run(write: () => Promise<void>): Promise<void> {
    if (this.#isStopped) throw this.#removed();
    const running = write();
    this.#running = running.catch(() => {});
    await running;
  }

  /** Continues in memory, with what the store has and the buffer. */
  async #moveToMemory(error: unknown): Promise<void> {
    if (this.#isStopped) throw this.#removed(error);
    this.#listener.onFailure(error);
    this.#invalidatePieces();
    const memory = new BlobSink();
    if (this.#stored > 0) {
      const content = await this.#store.get(this.#path).catch(() => undefined);
      if (content === undefined || content.size < this.#stored) throw this.#removed(error);
      for await (const bytes of content.slice(0, this.#stored).stream()) await memory.write(bytes);
    }
    for (const bytes of this.#buffer) await memory.write(bytes);
    this.#memory = memory;
  }

  #removed(cause?: unknown): RankletError {
    return new RankletError("network", `${this.#path} was removed from the cache while it was downloaded; try again`, { cause });
  }
}
