// Apart from api/reranker-on.ts, whose types need those of browsers: the types of the package compile for Node without them.
import type { LoadedReranker } from "../api/reranker.js";
import type { CachedModels } from "./cache.js";
import type { LoadOptions, ModelSource } from "./load.js";

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
   * no download. The weights are requested, and not read. Responses and streams among given files are left for `load`, and
   * files that only they list are not counted.
   * @throws RankletError as `load` does for its arguments and for files that are missing
   */
  downloadSize(source?: ModelSource, options?: LoadOptions): Promise<number>;
};
