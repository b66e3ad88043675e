/** Tokens of the first micro-batch, whose speed is not known yet: usually one pair. */
const firstTokens = 32;

/** Upper bound of a budget, beyond what any engine takes at once. */
const maxTokens = 65_536;

/**
 * Limits the tokens of each micro-batch so that it takes about a given time, as measured on the previous ones. Runtimes that
 * stop their clock while they compute (Cloudflare Workers) measure nothing, and get the engine's own micro-batches.
 */
export class StepBudget {
  readonly #maxMs: number;
  #tokens = firstTokens;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  /** A micro-batch is full once it has this many tokens. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Records a micro-batch of `pairs` pairs. */
  record(tokens: number, pairs: number, ms: number): void {
    if (tokens === 0) return;
    // Not 0, which a clock that stands still measures.
    const fitting = (this.#maxMs * tokens) / Math.max(ms, 0.01);
    // The last pair of a micro-batch begins below the budget, and exceeds it by half a pair on average, by one at most.
    const budget = fitting - tokens / Math.max(pairs, 1);
    // At most doubled, because one measurement may be wrong.
    this.#tokens = Math.round(Math.min(Math.max(1, budget), 2 * this.#tokens, maxTokens));
  }
}
