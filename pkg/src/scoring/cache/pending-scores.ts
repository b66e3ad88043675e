import type { CachedScores } from "./score-cache.js";

/** Receives the scores of a pair, or `undefined` if the call that scored it was aborted or failed. */
type Listener = (scores: CachedScores | undefined) => void;

/** The pairs that calls are scoring now, by their keys. */
export class PendingScores {
  readonly #listeners = new Map<string, Listener[]>();

  has(key: string): boolean {
    return this.#listeners.has(key);
  }

  /** Announces that the caller scores a pair. It must call `settle` in any case. */
  begin(key: string): void {
    this.#listeners.set(key, []);
  }

  /** Waits for a pair that another call scores. */
  listen(key: string, listener: Listener): void {
    this.#listeners.get(key)?.push(listener);
  }

  /** Passes on the scores of a pair, once. */
  settle(key: string, scores: CachedScores | undefined): void {
    const listeners = this.#listeners.get(key) ?? [];
    this.#listeners.delete(key);
    for (const listener of listeners) listener(scores);
  }
}
