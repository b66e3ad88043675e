/**
 * Where a cache keeps one model's bytes. Names are one or several parts with "/" between, of letters, digits, ".", "-"
 * and "_". Every method rejects with whatever the disk or browser says.
 */
export interface Store {
  get(name: string): Promise<Blob | undefined>;
  /** Puts the whole content there or nothing, even where another process or tab does the same. */
  put(name: string, content: Blob): Promise<void>;
  /** The names and folders at the top. */
  list(): Promise<readonly string[]>;
  /** Removes a name, or a folder with all in it; one that is not there is no error. */
  remove(name: string): Promise<void>;
}
