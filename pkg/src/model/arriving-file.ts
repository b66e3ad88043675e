import type { ArrivingData } from "../engine/arriving-reader.js";
import type { ModelFiles } from "./model-files.js";
import type { PieceListener } from "./sink.js";

/** The content of a model's files by name. Weights may still be arriving. */
export type ArrivingFiles = ReadonlyMap<string, Blob | ArrivingFile>;

/** A file that is being downloaded. Workers read the pieces that have arrived. */
export class ArrivingFile {
  /** In bytes, as the server announces it. */
  readonly size: number;
  /** The whole file, verified. */
  readonly whole: Promise<Blob>;
  /** Whether pieces arrive. Otherwise only the whole file can be read. */
  isArriving = true;
  /** Whether the pieces that workers have received are invalid. */
  isInvalid = false;
  /** Called when the pieces that workers have received become invalid. */
  onInvalidated: (() => void) | undefined;
  #pieces: Blob[] = [];
  readonly #ports: MessagePort[] = [];

  /** @param download downloads the file, and reports its pieces */
  constructor(size: number, download: (listener: PieceListener) => Promise<Blob>) {
    this.size = size;
    this.whole = download({ onPiece: (piece) => this.#add(piece), onInvalidated: () => this.#invalidate() });
    const end = (): void => this.#end();
    this.whole.then(end, end); // Callers that wait for the whole file handle its failure.
  }

  /** Returns the file as a worker reads it: with a port for its pieces while they arrive. */
  forWorker(): Promise<Blob> | ArrivingData {
    if (!this.isArriving) return this.whole;
    const { port1, port2 } = new MessageChannel();
    for (const piece of this.#pieces) port1.postMessage(piece);
    this.#ports.push(port1);
    return { size: this.size, port: port2 };
  }

  #add(piece: Blob): void {
    this.#pieces.push(piece);
    for (const port of this.#ports) port.postMessage(piece);
  }

  #invalidate(): void {
    this.isInvalid = true;
    this.#end();
    this.onInvalidated?.();
  }

  /**
   * Tells workers that no more pieces come. They close the ports: if one is closed or collected here before a worker has got the
   * other, Firefox drops its messages.
   */
  #end(): void {
    this.isArriving = false;
    for (const port of this.#ports) port.postMessage(null);
    this.#pieces = [];
  }
}

/** Waits for the whole of each file. Returns the same map if all are there, so that its files are shared with workers once. */
export async function wholeFiles(files: ArrivingFiles): Promise<ModelFiles> {
  if (![...files.values()].some((file) => file instanceof ArrivingFile)) return files as ModelFiles;
  return new Map(
    await Promise.all(Array.from(files, async ([name, file]) => [name, file instanceof ArrivingFile ? await file.whole : file] as const)),
  );
}
