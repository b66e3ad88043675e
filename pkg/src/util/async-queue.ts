/** A queue with one reader: what is pushed comes out of `for await`, in order, until the end. */
export class Channel<T> {
  readonly #held: T[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    this.#held.push(item);
    this.#wake?.();
  }

  /** After what is held, the reader comes to its end; with an `error`, it throws that. */
  end(outcome: { readonly error?: unknown } = {}): void {
    this.#ended ??= outcome;
    this.#wake?.();
  }

  /** Gives all that has come since the last time, at least one item. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T[], void> {
    for (;;) {
      if (this.#held.length > 0) yield this.#held.splice(0);
      else if (this.#ended === undefined) await new Promise<void>((wake) => (this.#wake = wake));
      else if ("error" in this.#ended) throw this.#ended.error;
      else return;
    }
  }
}
