/**
 * Stores the files of one model in a cache. A name has one or more parts, separated by "/", of letters, digits, ".", "-" and
 * "_". Every method rejects with the error of the file system or browser.
 */
export interface Store {
  get(name: string): Promise<Blob | undefined>;
  /** Returns the length of a file, or `undefined` if it does not exist. */
  size(name: string): Promise<number | undefined>;
  /** Writes a file, atomically: other processes and tabs see all of it or nothing. */
  put(name: string, content: Blob): Promise<void>;
  /**
   * Writes bytes at the end of a file. It is created if it does not exist. If the process or tab is killed, the file keeps all
   * bytes of earlier calls.
   * @param start the file's length now
   */
  append(name: string, start: number, bytes: Blob): Promise<void>;
  /** Returns the bytes of one call of `append`, if the store keeps them apart. They need no memory until they are read. */
  piece?(name: string, start: number): Promise<Blob | undefined>;
  /** Lists the first parts of all names. */
  list(): Promise<readonly string[]>;
  /** Removes a file, or a folder with its content. Does nothing if it does not exist. Without a name, removes everything. */
  remove(name?: string): Promise<void>;
  /** Records that the model is used now. */
  markUsed(): Promise<void>;
  /** Returns the time of the last use, in milliseconds since 1970; 0 if it is not known. */
  lastUsed(): Promise<number>;
  /**
   * Runs `task` while no other process or tab runs one for this model. If there are no locks here, runs it at once and tells
   * it so.
   * @param signal ends the wait
   */
  lock<T>(task: (isLocked: boolean) => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** The stores of all models in a cache. */
export interface ModelStores {
  /** @param model the URL of the model's folder */
  open(model: string): Store;
  /** Returns the stores that have files. */
  all(): Promise<readonly Store[]>;
}
