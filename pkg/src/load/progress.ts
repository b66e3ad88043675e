import type { ModelFiles } from "../model/model-files.js";
import type { DownloadProgress } from "../types.js";

type Listener = ((progress: DownloadProgress) => void) | undefined;

/** The number of lists of further files that a model has: its weights and its modules. */
const fileLists = 2;

/** Adds up the progress of a model's files and reports it to a listener. */
export class ProgressTally {
  readonly #files: Map<string, { loaded: number; total: number | undefined }>;
  /** Lists of further files that are not known yet. Until they are, the overall total is not known either. */
  #pendingLists: number;
  readonly #listener: Listener;
  #latest: Pick<DownloadProgress, "file" | "loaded" | "total"> | undefined;

  /**
   * @param files names of files that will be read or reported missing
   * @param pendingLists number of calls of `addListed` to come
   */
  constructor(files: Iterable<string>, listener: Listener, pendingLists = fileLists) {
    this.#files = new Map(Array.from(files, (file) => [file, { loaded: 0, total: undefined }]));
    this.#pendingLists = pendingLists;
    this.#listener = listener;
  }

  /** Adds a list of further files. */
  addListed(names: readonly string[]): void {
    for (const name of names) if (!this.#files.has(name)) this.expect(name, undefined);
    this.#pendingLists--;
    // After the last list the total is known, and no other file may follow.
    if (this.#pendingLists === 0 && this.#latest !== undefined) this.#emit(this.#latest);
  }

  /** Sets the length of a file before its content is read. */
  expect(file: string, total: number | undefined): void {
    this.#files.set(file, { loaded: 0, total });
  }

  /** Reports the progress of a file. A missing one is reported as 0 of 0. */
  report(file: string, loaded: number, total: number | undefined): void {
    this.#files.set(file, { loaded, total });
    this.#latest = { file, loaded, total };
    this.#emit(this.#latest);
  }

  #emit(latest: Pick<DownloadProgress, "file" | "loaded" | "total">): void {
    this.#listener?.({ stage: "download", ...latest, overall: this.#overall() });
  }

  #overall(): DownloadProgress["overall"] {
    let loaded = 0;
    let total = this.#pendingLists === 0 ? 0 : undefined;
    for (const file of this.#files.values()) {
      loaded += file.loaded;
      total = total === undefined || file.total === undefined ? undefined : total + file.total;
    }
    return { loaded, total };
  }
}

/** Reports the progress of files that are all in the cache. */
export function reportCached(files: ModelFiles, listener: Listener): void {
  const tally = new ProgressTally(files.keys(), listener, 0);
  for (const [name, { size }] of files) tally.expect(name, size);
  for (const [name, { size }] of files) tally.report(name, size, size);
}
