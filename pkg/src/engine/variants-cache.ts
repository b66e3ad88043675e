import { RankletError } from "../errors.js";
import type { ExplainedPair } from "../scoring/scorer.js";
import type { WasmReranker, WasmVariants } from "../wasm/ranklet.js";

/** The pairs of a comparison. */
const maxPairs = 2;

/** The variants of the pairs that were explained last, because one explanation may take many jobs. */
export class VariantsCache {
  readonly #model: WasmReranker;
  /** The last one that was used is the last. */
  #entries: { readonly pair: ExplainedPair; readonly variants: WasmVariants }[] = [];

  constructor(model: WasmReranker) {
    this.#model = model;
  }

  /**
   * Returns the variants of a pair, which stay owned by the cache.
   * @throws an error of the engine, also for strings that are no options
   */
  of(pair: ExplainedPair): WasmVariants {
    const found = this.#entries.find((entry) => isSame(entry.pair, pair)) ?? { pair, variants: this.#create(pair) };
    this.#entries = [...this.#entries.filter((entry) => entry !== found), found];
    if (this.#entries.length > maxPairs) this.#entries.shift()?.variants.free();
    return found.variants;
  }

  /**
   * Returns the variants of a pair, and checks the numbers of those to score.
   * @throws RankletError `input` for a number that no variant has
   */
  withNumbers(pair: ExplainedPair, numbers: Uint32Array): WasmVariants {
    const variants = this.of(pair);
    const count = variants.count();
    if (numbers.some((number) => number >= count)) throw new RankletError("input", `the pair has ${count} variants`);
    return variants;
  }

  free(): void {
    for (const { variants } of this.#entries.splice(0)) variants.free();
  }

  #create({ query, document, unit, of, samples, longDocuments, chunk }: ExplainedPair): WasmVariants {
    return this.#model.variants(
      query,
      document,
      unit,
      of,
      samples,
      longDocuments,
      chunk === undefined ? undefined : Uint32Array.of(chunk.start, chunk.end),
    );
  }
}

function isSame(a: ExplainedPair, b: ExplainedPair): boolean {
  const isSameChunk = a.chunk?.start === b.chunk?.start && a.chunk?.end === b.chunk?.end;
  const names = ["query", "document", "unit", "of", "samples", "longDocuments"] as const;
  return isSameChunk && names.every((name) => a[name] === b[name]);
}
