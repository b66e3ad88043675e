// The entry `ranklet/genkit`: a Genkit plug-in with rerankers.
import { reranker as defineReranker, genkitPluginV2 } from "genkit/plugin";
import type { DocumentOptions, LoadOptions, Reranker, Scores } from "ranklet";

import { type Check, checkOptions, positiveInteger, unchecked } from "../util/check.js";
import { lazyReranker, modelChecks, passedOnChecks } from "./lazy-reranker.js";

/** Options of a call, in Genkit's `options`. */
export interface RankletCallOptions extends Pick<DocumentOptions, "longDocuments" | "maxTokensPerDocument"> {
  /** Max number of documents, at least 1. Default: all. */
  readonly k?: number | undefined;
  readonly scores?: Scores | undefined;
}

/** Options of the plug-in. */
export interface RankletPluginOptions {
  /**
   * The rerankers by name: `ai.rerank({ reranker: "ranklet/NAME" })`. A string is a Hub id. Default: `{ default: undefined }`,
   * the embedded model.
   */
  readonly rerankers?: Readonly<Record<string, string | Reranker | Promise<Reranker> | undefined>> | undefined;
  /** Options of `Reranker.shared`. */
  readonly loadOptions?: LoadOptions | undefined;
}

const callOptionChecks = { ...passedOnChecks, k: positiveInteger } satisfies Readonly<Record<keyof RankletCallOptions, Check<unknown>>>;

/**
 * Creates the plug-in. It loads a model when the model is first used.
 * @throws RankletError `input` for an unknown option
 */
export function ranklet(options: RankletPluginOptions = {}): ReturnType<typeof genkitPluginV2> {
  const { rerankers = { default: undefined }, loadOptions } = checkOptions("ranklet", options, {
    rerankers: unchecked<NonNullable<RankletPluginOptions["rerankers"]>>,
    loadOptions: modelChecks.loadOptions,
  });
  return genkitPluginV2({
    name: "ranklet",
    init: () =>
      Object.entries(rerankers).map(([name, model]) => {
        const load = lazyReranker(model === undefined || typeof model === "string" ? { model, loadOptions } : { reranker: model });
        return defineReranker({ name }, async (query, documents, options) => {
          const { k, ...settings } = checkOptions("rerank", options, callOptionChecks);
          const loaded = await load();
          const { results } = await loaded.rerank({
            ...settings,
            topN: k,
            query: query.text,
            documents: documents.map(({ text }) => text),
          });
          return {
            documents: results.map(({ index, score }) => {
              const { content, metadata } = documents[index] as (typeof documents)[number];
              return { content, metadata: { ...metadata, score } };
            }),
          };
        });
      }),
  });
}
