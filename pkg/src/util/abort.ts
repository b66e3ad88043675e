import { RankletError } from "../errors.js";

/** Errors of Ranklet that were used as abort reasons. An aborted call rejects with them instead of wrapping them. */
const rankletErrors = new WeakSet<object>();

/** Aborts `controller` so that `throwIfAborted` throws `error` itself. */
export function abortWithError(controller: AbortController | undefined, error: RankletError): void {
  rankletErrors.add(error);
  controller?.abort(error);
}

/**
 * @throws RankletError `aborted`, with the signal's reason as its cause, if the signal is aborted; or the error of
 *   `abortWithError`
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** Returns the result of `promise`, or rejects when the signal is aborted, whichever comes first. A later result is ignored. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  promise.catch(() => {}); // Rejections are handled below, or ignored after an abort.
  throwIfAborted(signal);
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortError(signal as AbortSignal));
    signal?.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Runs `operation` with a controller that is aborted when `signal` is, or when the operation fails. */
export async function withAbortController<T>(
  signal: AbortSignal | undefined,
  operation: (controller: AbortController) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const unlink = linkAbort(controller, signal);
  try {
    return await operation(controller);
  } catch (error) {
    controller.abort();
    throwIfAborted(signal);
    throw error;
  } finally {
    unlink();
  }
}

/** Aborts `controller` when `signal` is aborted. Returns the function that removes the link. */
export function linkAbort(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const forward = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  return () => signal?.removeEventListener("abort", forward);
}

function abortError(signal: AbortSignal): RankletError {
  const { reason } = signal as { reason: unknown };
  if (reason instanceof RankletError && rankletErrors.has(reason)) return reason;
  return new RankletError("aborted", "the call was aborted by its signal", { cause: reason });
}
