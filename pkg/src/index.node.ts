// The entry for Node, Deno and Bun.
import { loadModel } from "./load/load.js";
import { node } from "./platform/node.js";
import { LoadedReranker } from "./api/reranker.js";
import type { LoadOptions, ModelSource } from "./types.js";

export * from "./exports.js";

/** A cross-encoder: reads a query and a document together and scores how well the one answers the other. */
export class Reranker extends LoadedReranker {
  /**
   * Loads a model: the embedded default, one of a Hub, the one in a folder, or one from its files.
   * @throws RankletError `input` or `unsupported` for the arguments; `config`, `tokenizer`, `weights` for the files;
   *   `network` or `integrity` for a download; `aborted`, `out-of-memory`
   */
  static async load(source?: ModelSource, options?: LoadOptions): Promise<Reranker> {
    return new Reranker(await loadModel(node, source, options));
  }
}
