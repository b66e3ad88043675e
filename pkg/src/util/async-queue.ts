/** A queue with one reader, which iterates over the pushed items in order until the queue ends. */
export class AsyncQueue<T> {
  readonly #items: T[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends the queue. After the remaining items, the reader finishes, or throws `error` if there is one. */
  end(outcome: { readonly error?: unknown } = {}): void {
    this.#end ??= outcome;
    this.#wake?.();
  }

  /** Yields all items that were pushed since the last time, at least one. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T[], void> {
    for (;;) {
      if (this.#items.length > 0) yield this.#items.splice(0);
      else if (this.#end === undefined) await new Promise<void>((wake) => (this.#wake = wake));
      else if ("error" in this.#end) throw this.#end.error;
      else return;
    }
  }
}
