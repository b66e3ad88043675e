import { downloadSize } from "../load/download-size.js";
import { loadModel } from "../load/load.js";
import type { LoadedModel } from "../load/stages.js";
import type { Platform } from "../platform/platform.js";
import type { Scorer } from "../scoring/scorer.js";
import { loadShared } from "../shared/load-shared.js";
import type { CachedModels } from "../types/cache.js";
import type { LoadOptions, ModelInfo, ModelSource } from "../types.js";
import { PlatformCache } from "./cached-models.js";
import { LoadedReranker } from "./reranker.js";

/** The class `Reranker` that an entry point exports. */
export type RerankerClass = typeof LoadedReranker & {
  /**
   * Loads a model: the embedded default, one of a Hub, one from a folder, or one from its files. May be called without the
   * class, as in `const { load } = Reranker`.
   * @throws RankletError `input` or `unsupported` for the arguments; `config`, `tokenizer`, `weights` for the files;
   *   `network` or `integrity` for a download; `aborted`, `out-of-memory`
   */
  load<R extends LoadedReranker>(this: { readonly prototype: R }, source?: ModelSource, options?: LoadOptions): Promise<R>;
  load(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<LoadedReranker>;
  /**
   * As `load`, but equal models with equal options share one engine: on this thread, and between the tabs of an origin if the
   * browser has shared workers. Each caller gets a reranker of its own, with its own calls and collections. The engine ends
   * when the last of them is disposed. `signal` and `onProgress` are those of the call: an abort ends the call, and the loading
   * if no other waits for it.
   * @throws RankletError as `load`
   */
  shared<R extends LoadedReranker>(this: { readonly prototype: R }, source?: ModelSource, options?: LoadOptions): Promise<R>;
  shared(this: unknown, source?: ModelSource, options?: LoadOptions): Promise<LoadedReranker>;
  /** The models that `load` has stored. */
  readonly cache: CachedModels;
  /**
   * Returns the number of bytes that `load` would download with the same arguments: 0 for a model that is in the cache or needs
   * no download. The weights are requested, and not read.
   * @throws RankletError as `load` does for its arguments and for files that are missing
   */
  downloadSize(source?: ModelSource, options?: LoadOptions): Promise<number>;
};

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
