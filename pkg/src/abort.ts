import { RankletError } from "./errors.js";

/**
 * Does nothing while `signal` is quiet.
 * @throws RankletError `aborted`, with the signal's reason as its cause
 */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  const { reason } = signal as { reason: unknown };
  throw reason instanceof RankletError ? reason : new RankletError("aborted", "the call was aborted by its signal", { cause: reason });
}

/** Runs `work` with a controller that is aborted with `signal` too, and aborted at the latest when the work fails. */
export async function withController<T>(signal: AbortSignal | undefined, work: (controller: AbortController) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const release = follow(controller, signal);
  try {
    return await work(controller);
  } catch (error) {
    controller.abort();
    throwIfAborted(signal);
    throw error;
  } finally {
    release();
  }
}

/** Aborts `controller` with `signal`, until the function returned is called. */
export function follow(controller: AbortController, signal: AbortSignal | undefined): () => void {
  const forward = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) forward();
  else signal?.addEventListener("abort", forward, { once: true });
  return () => signal?.removeEventListener("abort", forward);
}
