// The entry `ranklet/ai-sdk`: a provider of reranking models for `rerank` of the AI SDK, versions 6 and 7.
import { type DocumentOptions, type LoadOptions, RankletError, type Reranker, type Scores } from "ranklet";

import { type Fields, textOf } from "../documents/fields.js";
import { abortable, throwIfAborted } from "../util/abort.js";
import { type Check, checkOptions, unchecked } from "../util/check.js";
import { lazyReranker, modelChecks, passedOnChecks } from "./lazy-reranker.js";

/** A value that JSON can hold. */
type Json = null | string | number | boolean | { [key: string]: Json | undefined } | Json[];
type JsonObject = { [key: string]: Json | undefined };

/** The call of a reranking model, as the AI SDK's specification v3 has it. */
export interface RerankingCall {
  readonly documents:
    | { readonly type: "text"; readonly values: readonly string[] }
    | { readonly type: "object"; readonly values: readonly Fields[] };
  readonly query: string;
  readonly topN?: number | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly providerOptions?: Readonly<Record<string, Fields>> | undefined;
  /** Headers for a server. They have no effect, because there is no server. */
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
}

/** The options in `providerOptions.ranklet`. */
export interface RankletProviderOptions
  extends Pick<DocumentOptions, "rankFields" | "structured" | "longDocuments" | "maxTokensPerDocument"> {
  readonly scores?: Scores | undefined;
}

/** The answer of a reranking model. */
export interface RerankingAnswer {
  ranking: { index: number; relevanceScore: number }[];
  providerMetadata: Record<string, JsonObject>;
  warnings: { type: "compatibility"; feature: string; details: string }[];
  response: { modelId: string; timestamp: Date };
}

/** A model of the AI SDK's specification v3, which version 7 takes too. */
export interface RankletModel {
  readonly specificationVersion: "v3";
  readonly provider: "ranklet";
  readonly modelId: string;
  readonly doRerank: (call: RerankingCall) => Promise<RerankingAnswer>;
}

/** A provider, which is also a function that returns a model. Its methods do not use `this`. */
export interface RankletProvider {
  /** @param modelId a Hub id, a URL of a folder, a name in `rerankers`, or `"default"` for the embedded model */
  (modelId?: string): RankletModel;
  readonly specificationVersion: "v3";
  readonly rerankingModel: (modelId: string) => RankletModel;
  readonly reranking: (modelId: string) => RankletModel;
  readonly languageModel: (modelId: string) => never;
  readonly embeddingModel: (modelId: string) => never;
  readonly imageModel: (modelId: string) => never;
}

/** Settings of a provider. */
export interface RankletProviderSettings {
  /** Loaded rerankers by the id that names them. */
  readonly rerankers?: Readonly<Record<string, Reranker | Promise<Reranker>>> | undefined;
  /** Options of `Reranker.shared` for the other ids. */
  readonly loadOptions?: LoadOptions | undefined;
}

/**
 * Creates a provider. It loads a model when the model is first used, and once per id.
 * @throws RankletError `input` for an unknown option
 */
export function createRanklet(settings: RankletProviderSettings = {}): RankletProvider {
  const { rerankers = {}, loadOptions } = checkOptions("createRanklet", settings, {
    rerankers: unchecked<NonNullable<RankletProviderSettings["rerankers"]>>,
    loadOptions: modelChecks.loadOptions,
  });
  const models = new Map<string, RankletModel>();
  const rerankingModel = (modelId: string): RankletModel => {
    const known = models.get(modelId);
    if (known !== undefined) return known;
    const reranker = Object.hasOwn(rerankers, modelId) ? rerankers[modelId] : undefined;
    const load = lazyReranker(reranker === undefined ? { model: modelId === "default" ? undefined : modelId, loadOptions } : { reranker });
    const model: RankletModel = {
      specificationVersion: "v3",
      provider: "ranklet",
      modelId,
      doRerank: (call) => rerank(load, modelId, call),
    };
    models.set(modelId, model);
    return model;
  };
  const other = (kind: string) => (): never => {
    throw new RankletError("unsupported", `ranklet has reranking models only, and no ${kind} models`);
  };
  return Object.assign((modelId = "default") => rerankingModel(modelId), {
    specificationVersion: "v3",
    rerankingModel,
    reranking: rerankingModel,
    languageModel: other("language"),
    embeddingModel: other("embedding"),
    imageModel: other("image"),
  } as const);
}

/** The provider with default settings. */
export const ranklet: RankletProvider = createRanklet();

const optionChecks = {
  ...passedOnChecks,
  rankFields: unchecked<NonNullable<DocumentOptions["rankFields"]>>,
  structured: unchecked<NonNullable<DocumentOptions["structured"]>>,
} satisfies Readonly<Record<keyof RankletProviderOptions, Check<unknown>>>;

async function rerank(load: () => Promise<Reranker>, modelId: string, call: RerankingCall): Promise<RerankingAnswer> {
  const { abortSignal: signal, query, topN } = call;
  throwIfAborted(signal);
  const options = checkOptions("providerOptions.ranklet", call.providerOptions?.["ranklet"], optionChecks);
  const documents = call.documents.values.map((value, index) => documentOf(value, index, call.documents.type, options));
  const reranker = await abortable(load(), signal);
  const { results, usage, timings, backend } = await reranker.rerank({ ...options, query, documents, topN, signal });
  const isJson = call.documents.type === "object" && documents.some((document) => typeof document === "string");
  return {
    ranking: results.map(({ index, score }) => ({ index, relevanceScore: score })),
    providerMetadata: {
      ranklet: {
        usage: { ...usage },
        timings: { ...timings },
        backend: { device: backend.device, dtype: backend.dtype, workers: backend.workers },
      },
    },
    warnings: isJson
      ? [
          {
            type: "compatibility",
            feature: "object documents",
            details:
              "documents without a text, such as a string `text` or `body`, are scored as JSON; name fields in providerOptions.ranklet.rankFields",
          },
        ]
      : [],
    response: { modelId, timestamp: new Date() },
  };
}

/**
 * Returns the document to score: a text; an object that has a text, or with `rankFields` or `structured` any object, as it is; else
 * the object as JSON. The AI SDK decides the type of all documents by the first, so each is checked.
 */
function documentOf(
  value: unknown,
  index: number,
  type: "text" | "object",
  { rankFields, structured }: Pick<RankletProviderOptions, "rankFields" | "structured">,
): string | object {
  const isText = typeof value === "string";
  if (isText !== (type === "text") || value === null || value === undefined) {
    throw new RankletError("input", `documents[${index}] must be ${type === "text" ? "a string" : "an object"}, like documents[0]`);
  }
  if (isText) return value;
  if (rankFields !== undefined || structured !== undefined) return value as object;
  return textOf(value as Fields) === undefined ? JSON.stringify(value) : (value as object);
}
