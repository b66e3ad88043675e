import { loadModel } from "../load/load.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { LoadOptions, ModelInfo, ModelSource } from "../types.js";
import { LoadedReranker, type RerankerClass } from "./reranker.js";

/** Returns the class `Reranker` for one platform. Each entry point of the package extends it. */
export function rerankerOn(platform: Platform): RerankerClass {
  return class extends LoadedReranker {
    static async load<R extends LoadedReranker>(this: { readonly prototype: R }, source?: ModelSource, options?: LoadOptions): Promise<R> {
      const { scorer, info } = await loadModel(platform, source, options);
      return new (this as unknown as new (scorer: Scorer, info: ModelInfo) => R)(scorer, info);
    }
  };
}
