import { RankletError } from "../errors.js";
import { abortWithError, linkAbort } from "../util/abort.js";
import { maxTimerMs } from "../util/check.js";

/** The share of the time until the deadline that a micro-batch may take, so that the last one is not lost. */
const stepShare = 0.1;

/** Ends a call some time after its start. */
export class Deadline {
  /** Max time of a micro-batch; `undefined` without a deadline. */
  readonly maxStepMs: number | undefined;
  readonly #at: number;
  readonly #error = new RankletError("aborted", "the deadline has passed");
  readonly #controller = new AbortController();
  readonly #unlink: () => void;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param started the start by `performance.now()`
   * @param ms `undefined` for no deadline
   * @param signal aborts the call too
   */
  constructor(started: number, ms: number | undefined, signal: AbortSignal | undefined) {
    this.#at = started + (ms ?? Infinity);
    this.maxStepMs = ms === undefined ? undefined : ms * stepShare;
    this.#unlink = linkAbort(this.#controller, signal);
    const delay = Math.max(0, this.#at - performance.now());
    if (delay <= maxTimerMs) this.#timer = setTimeout(() => this.#end(), delay);
  }

  /** Aborted at the deadline. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the call if the time has come. To be called after each micro-batch, because timers wait while a thread computes. */
  check(): void {
    if (performance.now() >= this.#at) this.#end();
  }

  /** Whether an error says that the deadline has ended the call. */
  hasCaused(error: unknown): boolean {
    return error === this.#error;
  }

  /** Frees the timer. To be called when the call ends. */
  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#unlink();
  }

  #end(): void {
    abortWithError(this.#controller, this.#error);
  }
}
