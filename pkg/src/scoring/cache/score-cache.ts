/** The scores of a pair, mostly logits, and the start and end of its best chunk if the document was scored in chunks. */
export type CachedScores = readonly number[];

/**
 * Upper estimate of the bytes of an entry besides its numbers, in engines with pointers of 8 bytes: a key of 64 characters, an
 * array, and a place in a Map that is half empty.
 */
const entryBytes = 216;

/** Scores by the key of their pair, up to a number of bytes. The least recently used scores are removed first. */
export class ScoreCache {
  readonly #maxBytes: number;
  /** In the order of their use, the most recently used last. */
  readonly #entries = new Map<string, CachedScores>();
  /** Continues at the first entry. A new iterator would skip the slots of all removed entries, which a Map keeps for a while. */
  #oldest = this.#entries.keys();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The estimated memory of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): CachedScores | undefined {
    const scores = this.#entries.get(key);
    if (scores === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, scores);
    return scores;
  }

  set(key: string, scores: CachedScores): void {
    this.#remove(key);
    this.#entries.set(key, scores);
    this.#bytes += bytesOf(scores);
    while (this.#bytes > this.#maxBytes) this.#removeOldest();
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #removeOldest(): void {
    const { value, done } = this.#oldest.next();
    // An iterator that came to the end once does not see later entries.
    if (done === true) this.#oldest = this.#entries.keys();
    else this.#remove(value);
  }

  #remove(key: string): void {
    const scores = this.#entries.get(key);
    if (scores === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= bytesOf(scores);
  }
}

function bytesOf(scores: CachedScores): number {
  return entryBytes + 8 * scores.length;
}
