/** A version of a file on a server. */
export interface FileVersion {
  readonly url: string;
  /** A strong ETag, if the server names one. */
  readonly etag: string | undefined;
  /** Its length, if it is known. */
  readonly bytes: number | undefined;
  /** Its SHA-256 in hexadecimal, if it is known. */
  readonly sha256: string | undefined;
}

/** The bytes of a file that are there already. */
export interface AvailableBytes {
  readonly length: number;
  /** Whether these are all bytes of the file. */
  readonly isComplete: boolean;
  /** The version that they are of. */
  readonly etag: string | undefined;
  /** Whether the file at its URL never changes, so that it needs no ETag. */
  readonly isPinned: boolean;
}

/** The content of a file from an earlier download: all of it, or its beginning. */
export interface EarlierContent extends AvailableBytes {
  readonly content: Blob;
  /** The SHA-256 that the server named. */
  readonly sha256: string | undefined;
}
