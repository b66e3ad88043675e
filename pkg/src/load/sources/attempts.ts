import { abortable } from "../../util/abort.js";
import { TransientError } from "../../util/request.js";

/** Max number of attempts in a row that deliver no new bytes. */
const maxFruitlessAttempts = 5;
/** Max number of attempts for one file, so that a server cannot keep a load busy with a byte at a time. */
const maxAttempts = 1000;
/** Max wait before the first repetition. It doubles with each further one. */
const firstWaitMs = 250;
/** A server that asks for a longer wait is not asked again. */
export const maxRetryAfterMs = 60_000;

/** Repeats the requests for one file after transient errors. */
export class Attempts {
  readonly #signal: AbortSignal | undefined;
  #count = 0;
  #fruitless = 0;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** Records that the latest attempt has delivered new bytes. */
  succeed(): void {
    this.#fruitless = 0;
  }

  /**
   * Returns the result of `attempt`, which is repeated after transient errors.
   * @throws RankletError the last error; `aborted`
   */
  async repeat<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await this.waitAfter(error);
      }
    }
  }

  /**
   * Waits until the next attempt: as long as the server asks, or for a random time, so that many clients do not come back at
   * once.
   * @throws RankletError `error` itself unless another attempt may succeed; `aborted`
   */
  async waitAfter(error: unknown): Promise<void> {
    this.#count++;
    const waitMs = firstWaitMs * 2 ** this.#fruitless++ * Math.random();
    if (!(error instanceof TransientError) || this.#fruitless >= maxFruitlessAttempts || this.#count >= maxAttempts) throw error;
    const { retryAfterMs = 0 } = error;
    if (retryAfterMs > maxRetryAfterMs) throw error;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await abortable(new Promise((resolve) => (timer = setTimeout(resolve, Math.max(retryAfterMs, waitMs)))), this.#signal);
    } finally {
      clearTimeout(timer);
    }
  }
}
