import type { DownloadProgress } from "../types.js";
import type { Files } from "./files.js";

/** Adds up how far a model's files are, and tells a listener. */
export class DownloadTally {
  readonly #files: Map<string, { loaded: number; total: number | undefined }>;
  #complete = false;
  readonly #listener: ((progress: DownloadProgress) => void) | undefined;

  /** @param files the names of files that will be read or found missing; there can be more until `foundAll` */
  constructor(files: Iterable<string>, listener: ((progress: DownloadProgress) => void) | undefined) {
    this.#files = new Map([...files].map((file) => [file, { loaded: 0, total: undefined }]));
    this.#listener = listener;
  }

  /** Notes that with these further files all are known. Before, nobody knows how many bytes there are in all. */
  foundAll(names: readonly string[]): void {
    for (const name of names) this.expect(name, undefined);
    this.#complete = true;
  }

  /** Notes how long a file will be, ahead of its bytes. */
  expect(file: string, total: number | undefined): void {
    this.#files.set(file, { loaded: 0, total });
  }

  /** Tells how far a file is. A missing one is told as 0 of 0. */
  tell(file: string, loaded: number, total: number | undefined): void {
    this.#files.set(file, { loaded, total });
    this.#listener?.({ stage: "download", file, loaded, total, overall: this.#overall() });
  }

  #overall(): DownloadProgress["overall"] {
    let loaded = 0;
    let total = this.#complete ? 0 : undefined;
    for (const file of this.#files.values()) {
      loaded += file.loaded;
      total = total === undefined || file.total === undefined ? undefined : total + file.total;
    }
    return { loaded, total };
  }
}

/** Tells of files that are all there already. */
export function tellCached(files: Files, listener: ((progress: DownloadProgress) => void) | undefined): void {
  const tally = new DownloadTally(files.keys(), listener);
  tally.foundAll([]);
  for (const [name, { size }] of files) tally.expect(name, size);
  for (const [name, { size }] of files) tally.tell(name, size, size);
}
