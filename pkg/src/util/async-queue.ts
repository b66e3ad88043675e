/** A queue with one reader: what is pushed comes out of `for await`, in order, until the end. */
export class AsyncQueue<T> {
  readonly #items: T[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** After what is held, the reader comes to its end; with an `error`, it throws that. */
  end(outcome: { readonly error?: unknown } = {}): void {
    this.#end ??= outcome;
    this.#wake?.();
  }

  /** Gives all that has come since the last time, at least one item. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T[], void> {
    for (;;) {
      if (this.#items.length > 0) yield this.#items.splice(0);
      else if (this.#end === undefined) await new Promise<void>((wake) => (this.#wake = wake));
      else if ("error" in this.#end) throw this.#end.error;
      else return;
    }
  }
}
