import { loadModel } from "../load/load.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import type { LoadOptions, ModelInfo, ModelSource } from "../types.js";
import { LoadedReranker, type RerankerClass } from "./reranker.js";

/** Returns the class `Reranker` for one platform, which an entry point of the package exports. */
export function rerankerOn(platform: Platform): RerankerClass {
  class Reranker extends LoadedReranker {
    static async load<R extends LoadedReranker>(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<R> {
      const { scorer, info } = await loadModel(platform, source, options);
      // `const { load } = Reranker` calls without a class, and a subclass calls with itself.
      const called = isRerankerClass(this) ? this : Reranker;
      return new (called as unknown as new (scorer: Scorer, info: ModelInfo) => R)(scorer, info);
    }
  }
  return Reranker;
}

function isRerankerClass(value: unknown): value is typeof LoadedReranker {
  return typeof value === "function" && value.prototype instanceof LoadedReranker;
}
