/**
 * Stores the files of one model in a cache. A name has one or more parts, separated by "/", of letters, digits, ".", "-" and
 * "_". Every method rejects with the error of the file system or browser.
 */
export interface Store {
  get(name: string): Promise<Blob | undefined>;
  /** Writes a file, atomically: other processes and tabs see all of it or nothing. */
  put(name: string, content: Blob): Promise<void>;
  /** Lists the first parts of all names. */
  list(): Promise<readonly string[]>;
  /** Removes a file, or a folder with its content. Does nothing if it does not exist. */
  remove(name: string): Promise<void>;
}
