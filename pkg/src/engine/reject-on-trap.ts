/**
 * Waits for a call that goes on in the engine later. A trap in such a call reaches nobody: its promise stays pending, and
 * the error goes to whoever listens for errors of this thread.
 * @throws what the call rejects with, or the trap
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
