import { RankletError } from "../errors.js";
import { HttpError, unavailable } from "./http-error.js";

/** Limits the number of requests that are scored at once, and of those that wait. */
export class Admission {
  readonly #maxConcurrent: number;
  readonly #maxQueue: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #closed = false;
  #reportIdle!: () => void;
  /** Resolves when no request runs after `close`. */
  readonly #idle = new Promise<void>((resolve) => (this.#reportIdle = resolve));
  /** A moving average of the time that a request takes, for `Retry-After`. It begins with a guess. */
  #averageMs = 1000;

  constructor({ maxConcurrent, maxQueue }: { readonly maxConcurrent: number; readonly maxQueue: number }) {
    this.#maxConcurrent = maxConcurrent;
    this.#maxQueue = maxQueue;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /** @throws HttpError 503 after `close` */
  expectOpen(): void {
    if (this.#closed) throw unavailable("the server is shutting down");
  }

  /** @throws HttpError 429 if too many wait, 503 after `close` */
  expectRoom(): void {
    this.expectOpen();
    if (this.#running < this.#maxConcurrent || this.#waiting.length < this.#maxQueue) return;
    throw new HttpError(429, "too many requests are waiting", { headers: { "retry-after": String(this.#retryAfter()) } });
  }

  /**
   * Runs `work` when it is its turn.
   * @throws HttpError 429 if too many wait, 503 after `close`; RankletError `aborted` if the client leaves the queue; errors of `work`
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.expectRoom();
    if (this.#running >= this.#maxConcurrent) await this.#wait(signal);
    else this.#running++;
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#averageMs += (performance.now() - started - this.#averageMs) / 8;
      this.#release();
    }
  }

  /** Refuses new requests. Resolves when all requests that were accepted are answered. May be called more than once. */
  close(): Promise<void> {
    this.#closed = true;
    this.#checkIdle();
    return this.#idle;
  }

  /** Waits for a place, which `#release` hands over. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(new RankletError("aborted", "the client has gone", { cause: signal.reason }));
      };
      if (signal.aborted) return reject(new RankletError("aborted", "the client has gone", { cause: signal.reason }));
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(start);
    });
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next();
      return;
    }
    this.#running--;
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#closed && this.#running === 0) this.#reportIdle();
  }

  /** Seconds until the requests that wait now are likely to be answered. */
  #retryAfter(): number {
    const rounds = (this.#waiting.length + 1) / this.#maxConcurrent;
    return Math.min(60, Math.max(1, Math.ceil((rounds * this.#averageMs) / 1000)));
  }
}
