import type { RerankerSource, ServedReranker } from "./options.js";

/** Gives the reranker of a handler, and loads it when it is first needed. */
export class ModelLoader {
  readonly #load: () => Promise<ServedReranker>;
  #reranker: Promise<ServedReranker> | undefined;

  constructor(source: RerankerSource) {
    this.#load = async () => (typeof source === "function" ? source() : source);
  }

  /** Resolves with the reranker. Loads again if the last attempt failed. */
  get(): Promise<ServedReranker> {
    if (this.#reranker === undefined) {
      const attempt = (this.#reranker = this.#load());
      attempt.catch(() => (this.#reranker = undefined));
    }
    return this.#reranker;
  }
}
