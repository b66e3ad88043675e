/** Every code a {@link RankletError} can carry. The Rust crate's error kinds are the same list; a test holds them equal. */
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
 * What went wrong, for programs.
 *
 * - `config`, `tokenizer`, `weights`: that file of the model is missing or cannot be used.
 * - `input`: an argument or option is wrong; the message names it.
 * - `unsupported`: understood, but not available here; the message says what to use instead.
 * - `network`: a file could not be downloaded.
 * - `integrity`: a file is not the one that was expected.
 * - `device-lost`, `out-of-memory`: the device that computes is gone or full.
 * - `aborted`: the caller's signal was aborted; `cause` is the signal's reason.
 * - `disposed`: the reranker was disposed.
 * - `internal`: a fault of Ranklet's own; please report it.
 */
export type ErrorCode = (typeof errorCodes)[number];

/** The only class of error that Ranklet throws by itself. */
export class RankletError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "RankletError";
    this.code = code;
  }
}

/**
 * An error with a code that the engine threw, as a {@link RankletError}; `undefined` for anything else
 * (a trap, a stack overflow), which leaves the engine's memory in doubt.
 */
export function fromEngine(error: unknown): RankletError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const code = errorCodes.find((known) => known === error.code);
  return code === undefined ? undefined : new RankletError(code, itemOf(error) + error.message, { cause: error });
}

/** The documents or pairs that an engine's error is about, as the beginning of a message: `documents 3 to 5: `. */
function itemOf(error: Error & { readonly item?: unknown }): string {
  if (error.item === undefined) return "";
  const { kind, start, end } = error.item as { readonly kind: string; readonly start: number; readonly end: number };
  return end - start > 1 ? `${kind}s ${start} to ${end - 1}: ` : `${kind} ${start}: `;
}

/** Whether a GPU has failed. */
export function isDeviceLost(error: unknown): error is RankletError {
  return error instanceof RankletError && error.code === "device-lost";
}

/**
 * The engine counts documents and pairs in what it was given, and begins its messages with that: `document 3: ...`.
 * @param place where the caller counts the one that the engine counts there
 * @returns `error` itself where its message names none
 */
export function relocated(error: unknown, place: (pair: number) => number): unknown {
  if (!(error instanceof RankletError)) return error;
  const message = error.message.replace(/^(?:document|pair)s? \d+(?: to \d+)?(?=: )/, (named) =>
    named.replace(/\d+/g, (pair) => String(place(Number(pair)))),
  );
  return message === error.message ? error : new RankletError(error.code, message, { cause: error });
}

/** What `error` says, on one line, for the tail of another message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error of whatever is used after it was disposed. */
export function disposedError(what: "reranker" | "collection" = "reranker"): RankletError {
  const wayOut = what === "reranker" ? "load the model again" : "prepare the documents again";
  return new RankletError("disposed", `the ${what} was disposed; ${wayOut}`);
}
