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
  #content: Blob | undefined;
  #pieces: Blob[] = [];
  readonly #ports: MessagePort[] = [];
  #isRestarted = false;
  /** Called when the pieces that workers have got do not count any more. */
  onRestart: (() => void) | undefined;

  /** @param download downloads the file, and reports its pieces */
  constructor(size: number, download: (listener: PieceListener) => Promise<Blob>) {
    this.size = size;
    this.whole = download({ onPiece: (piece) => this.#add(piece), onRestart: () => this.#restart() });
    const complete = (content: Blob): void => {
      this.#content = content;
      this.#pieces = [];
    };
    this.whole.then(complete, () => {}); // A failure is that of whoever waits for the whole file.
  }

  /** Whether the pieces that workers have got do not count any more. Then only the whole file can be read. */
  get isRestarted(): boolean {
    return this.#isRestarted;
  }

  /** Returns the file as a worker reads it: with a port for its pieces, unless it is complete. */
  forWorker(): Blob | ArrivingData {
    if (this.#content !== undefined) return this.#content;
    const { port1, port2 } = new MessageChannel();
    for (const piece of this.#pieces) port1.postMessage(piece);
    this.#ports.push(port1);
    return { size: this.size, port: port2 };
  }

  #add(piece: Blob): void {
    if (this.#isRestarted) return;
    this.#pieces.push(piece);
    for (const port of this.#ports) port.postMessage(piece);
  }

  #restart(): void {
    this.#isRestarted = true;
    this.#pieces = [];
    this.onRestart?.();
  }
}

/** Waits for the whole of each file. */
export async function wholeFiles(files: ArrivingFiles): Promise<ModelFiles> {
  return new Map(await Promise.all(Array.from(files, async ([name, file]) => [name, file instanceof ArrivingFile ? await file.whole : file] as const)));
}
