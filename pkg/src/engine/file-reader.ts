import { messageOf, RankletError } from "../errors.js";

/** Reads a file in parts. Reading forward costs least. */
export interface FileReader {
  /** Returns bytes of the file: at least one, from `start` on, and none at `end` or after it. */
  read(start: number, end: number): Promise<Uint8Array> | Uint8Array;
  /** Ends reading. */
  close(): void;
}

/** Returns the error for a file that cannot be read: one that the user chose may have changed on disk since. */
export function unreadable(name: string, error: unknown): RankletError {
  return new RankletError("input", `${name} can no longer be read: ${messageOf(error)}; choose it again`, { cause: error });
}
