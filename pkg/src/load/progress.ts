import type { DownloadProgress } from "../types.js";
import type { Files } from "../model/model-files.js";

/** Adds up how far a model's files are, and tells a listener. */
export class DownloadTally {
  readonly #files: Map<string, { loaded: number; total: number | undefined }>;
  /** Lists of further files that have not come yet. Until then nobody knows how many bytes there are in all. */
  #lists: number;
  readonly #listener: ((progress: DownloadProgress) => void) | undefined;

  /**
   * @param files the names of files that will be read or found missing
   * @param lists how often `found` will be called, with further files
   */
  constructor(files: Iterable<string>, lists: number, listener: ((progress: DownloadProgress) => void) | undefined) {
    this.#files = new Map([...files].map((file) => [file, { loaded: 0, total: undefined }]));
    this.#lists = lists;
    this.#listener = listener;
  }

  /** Notes a list of further files. */
  found(names: readonly string[]): void {
    for (const name of names) if (!this.#files.has(name)) this.expect(name, undefined);
    this.#lists--;
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
    let total = this.#lists === 0 ? 0 : undefined;
    for (const file of this.#files.values()) {
      loaded += file.loaded;
      total = total === undefined || file.total === undefined ? undefined : total + file.total;
    }
    return { loaded, total };
  }
}

/** Tells of files that are all there already. */
export function tellCached(files: Files, listener: ((progress: DownloadProgress) => void) | undefined): void {
  const tally = new DownloadTally(files.keys(), 0, listener);
  for (const [name, { size }] of files) tally.expect(name, size);
  for (const [name, { size }] of files) tally.tell(name, size, size);
}
