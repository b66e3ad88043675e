/**
 * Waits for an asynchronous call of the engine. A trap in such a call does not reject its promise, but is reported as an
 * error event of this thread.
 * @throws the error of the call, or the trap
 */
export async function rejectOnTrap<T>(call: () => Promise<T>): Promise<T> {
  let onError = (_event: ErrorEvent): void => {};
  const trapped = new Promise<never>((_, reject) => {
    onError = ({ error }) => {
      if (error instanceof WebAssembly.RuntimeError) reject(error);
    };
  });
  globalThis.addEventListener("error", onError);
  try {
    return await Promise.race([call(), trapped]);
  } finally {
    globalThis.removeEventListener("error", onError);
  }
}
