import { RankletError } from "../errors.js";

/** The fraction of a weights file that stays in memory at least: f32 that is quantized to q8 shrinks to a quarter. */
const minMemoryFraction = (dtype: string): number => (dtype === "q8" ? 0.25 : 1);

/** Compares the lengths of a model's weights with the memory limit: before they are downloaded, or while they arrive. */
export class MemoryBudget {
  readonly #limit: number;
  readonly #dtype: string;
  #bytes = 0;

  constructor({ dtype, max_memory_bytes }: { readonly dtype: string; readonly max_memory_bytes?: number }) {
    this.#limit = max_memory_bytes ?? Infinity;
    this.#dtype = dtype;
  }

  /**
   * Adds bytes of weights.
   * @throws RankletError `out-of-memory` if all bytes so far cannot fit
   */
  reserve(bytes: number): void {
    this.#bytes += bytes;
    const min = this.#bytes * minMemoryFraction(this.#dtype);
    if (min <= this.#limit) return;
    const smaller = this.#dtype === "q8" ? "" : 'dtype "q8" or ';
    throw new RankletError(
      "out-of-memory",
      `this model's weights alone would take at least ${megabytes(min)} of memory; maxMemoryBytes allows ${megabytes(this.#limit)}: choose ${smaller}another model`,
    );
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
