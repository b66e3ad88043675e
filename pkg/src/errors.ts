/** All codes of a {@link RankletError}. The Rust crate has the same list of error kinds, and a test compares the two. */
export const errorCodes = [
  "config",
  "weights",
  "tokenizer",
  "input",
  "unsupported",
  "network",
  "integrity",
  "device-lost",
  "out-of-memory",
  "aborted",
  "disposed",
  "internal",
] as const;

/**
 * The category of an error.
 *
 * - `config`, `tokenizer`, `weights`: this part of the model is missing or cannot be used.
 * - `input`: an argument or option is wrong; the message names it.
 * - `unsupported`: valid, but not available here; the message says what to use instead.
 * - `network`: a file could not be downloaded.
 * - `integrity`: a file differs from the expected one.
 * - `device-lost`: the GPU failed.
 * - `out-of-memory`: there is not enough memory for the model or the call.
 * - `aborted`: the caller's signal was aborted; `cause` is the signal's reason.
 * - `disposed`: the reranker or collection was disposed.
 * - `internal`: a bug in Ranklet; please report it.
 */
export type ErrorCode = (typeof errorCodes)[number];

/** The documents or pairs of a call that an error is about: indices from `start` up to, not including, `end`. */
export interface ErrorItem {
  readonly kind: "document" | "pair";
  readonly start: number;
  readonly end: number;
}

/** The class of all errors of Ranklet. Errors that a caller's callback throws are passed through as they are. */
export class RankletError extends Error {
  readonly code: ErrorCode;
  /** The documents or pairs of the call that caused the error, if they are known. The message names them too. */
  readonly item?: ErrorItem;

  constructor(code: ErrorCode, message: string, { item, ...options }: ErrorOptions & { readonly item?: ErrorItem | undefined } = {}) {
    super(message, options);
    this.name = "RankletError";
    this.code = code;
    if (item !== undefined) this.item = item;
  }
}

/**
 * Converts an error with a code that the engine threw. Returns `undefined` for any other error (a trap, a stack overflow),
 * after which the engine's memory may be invalid.
 */
export function fromEngine(error: unknown): RankletError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = errorCodes.find((known) => known === error.code);
  const { item } = error as { readonly item?: ErrorItem };
  return code === undefined ? undefined : new RankletError(code, error.message, { cause: error, item });
}

/**
 * Renumbers the documents or pairs that an error is about, from those of a job to those of the caller.
 * @param indexOf returns the caller's index for one of the job
 * @returns `error` itself if it is not about documents or pairs
 */
export function renumbered(error: unknown, indexOf: (index: number) => number): unknown {
  if (!(error instanceof RankletError) || error.item === undefined) return error;
  const { kind, start, end } = error.item;
  const ends = [indexOf(start), indexOf(end - 1)];
  const item = { kind, start: Math.min(...ends), end: Math.max(...ends) + 1 };
  return new RankletError(error.code, error.message, { cause: error, item });
}

/**
 * Writes the documents or pairs that an error is about before its message: `document 3: ...`. Public functions do so once,
 * when their numbers are those of the caller.
 * @returns `error` itself if it is not about documents or pairs
 */
export function withItemInMessage(error: unknown): unknown {
  if (!(error instanceof RankletError) || error.item === undefined) return error;
  const { kind, start, end } = error.item;
  const name = end - start > 1 ? `${kind}s ${start} to ${end - 1}` : `${kind} ${start}`;
  return new RankletError(error.code, `${name}: ${error.message}`, { cause: error, item: error.item });
}

/** Whether the error says that a GPU failed. */
export function isDeviceLost(error: unknown): error is RankletError {
  return error instanceof RankletError && error.code === "device-lost";
}

/** Returns the message of `error`, for the end of another message. */
export function messageOf(error: unknown): string {
  const message = (error as { readonly message?: unknown } | null | undefined)?.message;
  return typeof message === "string" ? message : String(error);
}

/** Creates the error for using a disposed object. */
export function disposedError(what: "reranker" | "collection" = "reranker"): RankletError {
  const advice = what === "reranker" ? "load the model again" : "prepare the documents again";
  return new RankletError("disposed", `the ${what} was disposed; ${advice}`);
}
