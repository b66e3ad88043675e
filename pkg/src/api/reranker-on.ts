import { downloadSize } from "../load/download-size.js";
import { loadModel } from "../load/load.js";
import type { LoadedModel } from "../load/stages.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import { loadShared } from "../shared/load-shared.js";
import type { CachedModels } from "../types/cache.js";
import type { RerankerClass } from "../types/reranker-class.js";
import type { LoadOptions, ModelInfo, ModelSource } from "../types.js";
import { PlatformCache } from "./cached-models.js";
import { LoadedReranker } from "./reranker.js";

/** Returns the class `Reranker` for one platform, which an entry point of the package exports. */
export function rerankerOn(platform: Platform): RerankerClass {
  class Reranker extends LoadedReranker {
    static readonly cache: CachedModels = new PlatformCache(platform);

    static downloadSize(source?: ModelSource, options?: LoadOptions): Promise<number> {
      return downloadSize(platform, source, options);
    }

    static async load<R extends LoadedReranker>(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<R> {
      return create<R>(this, Reranker, await loadModel(platform, source, options));
    }

    static async shared<R extends LoadedReranker>(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<R> {
      return create<R>(this, Reranker, await loadShared(platform, source, options));
    }
  }
  return Reranker;
}

/** Creates a reranker. `const { load } = Reranker` calls without a class, and a subclass calls with itself. */
function create<R extends LoadedReranker>(caller: unknown, Reranker: typeof LoadedReranker, { scorer, info }: LoadedModel): R {
  const called = isRerankerClass(caller) ? caller : Reranker;
  return new (called as unknown as new (scorer: Scorer, info: ModelInfo) => R)(scorer, info);
}

function isRerankerClass(value: unknown): value is typeof LoadedReranker {
  return typeof value === "function" && value.prototype instanceof LoadedReranker;
}
