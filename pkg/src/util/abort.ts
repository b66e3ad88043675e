import { RankletError } from "../errors.js";

/** Reasons that are Ranklet's own, such as a call that a newer one replaced: they are what the call rejects with. */
const rankletErrors = new WeakSet<object>();

/** Aborts `controller` so that `throwIfAborted` throws `error` itself. */
export function abortWithError(controller: AbortController | undefined, error: RankletError): void {
  rankletErrors.add(error);
  controller?.abort(error);
}

/**
 * Does nothing while `signal` is quiet.
 * @throws RankletError `aborted`, with the signal's reason as its cause; or the error of `abortWithError`
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** `promise`, or the signal's abort, whichever is first. What comes of `promise` later is dropped. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  promise.catch(() => {}); // Heard below, or dropped.
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

/** Runs `work` with a controller that is aborted with `signal` too, and aborted at the latest when the work fails. */
export async function withAbortController<T>(signal: AbortSignal | undefined, operation: (controller: AbortController) => Promise<T>): Promise<T> {
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

/** Aborts `controller` with `signal`, until the function returned is called. */
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
