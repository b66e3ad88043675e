import { RankletError } from "../errors.js";

/** The part of a file's weights that is kept at least, by what they are to be held as: of f32 rounded to q8 a quarter. */
const leastKept = (dtype: string): number => (dtype === "q8" ? 0.25 : 1);

/** How much memory there is for a model, as far as the lengths of its files tell before they are downloaded. */
export class Room {
  readonly #limit: number;
  readonly #dtype: string;
  #bytes = 0;

  constructor({ dtype, max_memory_bytes }: { readonly dtype: string; readonly max_memory_bytes?: number }) {
    this.#limit = max_memory_bytes ?? Infinity;
    this.#dtype = dtype;
  }

  /**
   * Hears of a further file of weights.
   * @throws RankletError `out-of-memory` where what is left of them cannot fit
   */
  expect(bytes: number | undefined): void {
    this.#bytes += bytes ?? 0;
    const least = this.#bytes * leastKept(this.#dtype);
    if (least <= this.#limit) return;
    const smaller = this.#dtype === "q8" ? "" : 'dtype "q8" or ';
    throw new RankletError(
      "out-of-memory",
      `this model's weights alone would take at least ${megabytes(least)} of memory; maxMemoryBytes allows ${megabytes(this.#limit)}: choose ${smaller}another model`,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
