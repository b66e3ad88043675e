// Web Locks end with the tab or worker that holds them, however it ends. So others wait for a lock to notice that.
let count = 0;

/** Returns a name for a worker, a tab or its lock that is unique in this origin. */
export function uniqueName(): string {
  return `ranklet ${count++} ${Date.now()} ${Math.random()}`;
}

/** Calls `then` when the lock is free. Pages without https have no locks, and cannot detect a worker that stops silently. */
export function whenFree(name: string, signal: AbortSignal, then: () => void): void {
  navigator.locks?.request(name, { signal }, then).catch(() => {}); // The wait was aborted, or locks are not allowed here.
}

/**
 * Holds a lock until this thread ends. Resolves when it is held, and at once in a browser without locks. If locks are not allowed
 * here, never resolves.
 */
export function holdForever(name: string): Promise<void> {
  return new Promise((resolve) => {
    const hold = (): Promise<never> => {
      resolve();
      return new Promise(() => {});
    };
    if (navigator.locks === undefined) resolve();
    else navigator.locks.request(name, hold).catch(() => {});
  });
}

/**
 * Holds a lock, as soon as it is available, until the returned function is called.
 * @throws {DOMException} if locks are not allowed here, or the wait was aborted
 */
export function holdLock(name: string, options: { readonly mode: LockMode; readonly signal: AbortSignal }): Promise<() => void> {
  return new Promise((resolve, reject) => {
    navigator.locks.request(name, options, () => new Promise<void>((release) => resolve(release))).catch(reject);
  });
}
