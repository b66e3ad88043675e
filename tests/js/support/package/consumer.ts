// Compiled and never run: code that users of the package write, and code that must not compile.
import {
  type Collection,
  type CollectionRanking,
  documentTexts,
  type ErrorCode,
  type ErrorItem,
  type Explanation,
  errorCodes,
  type ModelInfo,
  type ModelSource,
  RankletError,
  Reranker,
  type RerankOptions,
  type RerankResponse,
  type ReturnDocuments,
  type StreamPart,
} from "ranklet";
import model from "ranklet/default-model";
import { createHandler, type HandlerOptions, type RerankHandler } from "ranklet/server";
import small from "ranklet/small-model";

const controller = new AbortController();

interface Row {
  readonly id: number;
  readonly text: string;
}
const rows: readonly Row[] = [{ id: 1, text: "a" }];

export async function everything(bytes: Uint8Array): Promise<void> {
  const reranker: Reranker = await Reranker.load(model, {
    device: "auto",
    dtype: "q8",
    workers: 0,
    maxLength: 256,
    signal: controller.signal,
    onProgress: ({ file, loaded, total }) => console.log(file.toUpperCase(), loaded.toFixed(), total?.toFixed()),
  });
  await Reranker.load();
  const names: ModelSource[] = ["ranklet/default", "ranklet/small", "organization/model"];
  for (const named of [...names, small]) await Reranker.load(named);
  await Reranker.load(new URL("https://models.example/reranker/"));
  await Reranker.load({ "config.json": bytes, "tokenizer.json": bytes.buffer as ArrayBuffer, "model.safetensors": new Blob([]) });

  const contents: Record<string, Uint8Array> = { "config.json": bytes };
  await Reranker.load(contents);

  await Reranker.load("organization/model", {
    baseUrl: "https://mirror.example/",
    revision: "main",
    token: "secret",
    cache: true,
    onProgress: ({ overall }) => console.log(overall.loaded.toFixed(), overall.total?.toFixed()),
  });
  await Reranker.load(new URL("https://models.example/reranker/"), { cache: "my-models" });
  for (const workers of [0, 1, 2, "auto"] as const) await Reranker.load(model, { workers });

  const { load } = Reranker;
  const detached: Reranker = await load(model, { workers: 0, localFilesOnly: true });
  detached.dispose();
  class Own extends Reranker {
    readonly own = true;
  }
  const own: Own = await Own.load(model);
  own.dispose();

  const response: RerankResponse<Row, true> = await reranker.rerank({ query: "q", documents: rows, returnDocuments: true });
  const id: number | undefined = response.results[0]?.document.id;
  const [result] = (await reranker.rerank({ query: "q", documents: rows })).results;
  // @ts-expect-error: without returnDocuments, a result may have no document
  result?.document.id;
  const returnDocuments = Math.random() < 0.5;
  const perhaps: RerankResponse<Row> = await reranker.rerank<Row>({ query: "q", documents: rows, returnDocuments });
  // @ts-expect-error: it may be false
  const certain: RerankResponse<Row, true> = perhaps;
  // @ts-expect-error: without returnDocuments, the type of the variable does not make it true
  const inferred: RerankResponse<Row, true> = await reranker.rerank({ query: "q", documents: rows });
  const [optional] = (await reranker.rerank({ query: "q", documents: rows, returnDocuments: returnDocuments || undefined })).results;
  // @ts-expect-error: it may be undefined
  optional?.document.id;
  // @ts-expect-error: with returnDocuments of the type true, the option is not left out
  await reranker.rerank<Row, true>({ query: "q", documents: rows });
  // @ts-expect-error: as for rerank
  const texted: { text: string }[] = await reranker.rank("q", ["d"]);
  // @ts-expect-error: as for rerank
  const streamed: AsyncGenerator<StreamPart<Row, true>, void> = reranker.stream({ query: "q", documents: rows });
  console.log(inferred, texted, streamed);
  const general: RerankResponse = response;
  const texts: string[] = (await reranker.rank("q", ["d"], { returnDocuments: true })).map(({ text }) => text);
  // @ts-expect-error: without returnDocuments, a result may have no text
  (await reranker.rank("q", ["d"]))[0]?.text.length;
  console.log(certain, general, texts);
  const scores: Float32Array = await reranker.score([["q", "d"]], { scores: "raw" });
  const rank: number | undefined = (await reranker.rank("q", ["d"], { topK: 1 }))[0]?.corpus_id;
  const info: ModelInfo = reranker.info;
  console.log(id, scores, rank, info.numLabels, info.backend.workers.toFixed(), response.timings.totalMs);

  const cached = await Reranker.load(model, { scoreCache: { maxBytes: 1e6 } });
  const fused: RerankResponse = await cached.rerank({
    query: "q",
    documents: rows,
    structured: "yaml",
    minScore: 0,
    deadlineMs: 100,
    scores: "probability",
    fuse: { firstStage: [1, null], method: "rrf", k: 10 },
  });
  const modelScore: number | undefined = fused.results[0]?.modelScore;
  console.log(
    modelScore,
    fused.unscored.length,
    fused.timings.cacheHits.toFixed(),
    cached.info.calibrated,
    cached.info.calibration?.scale.toFixed(),
  );
  // @ts-expect-error: a method that does not exist
  await cached.rerank({ query: "q", documents: rows, fuse: { firstStage: [1], method: "sum" } });
  // @ts-expect-error: an array has no place for what was not scored
  await cached.rank("q", ["d"], { deadlineMs: 100 });

  // @ts-expect-error: an unknown option
  await reranker.rerank({ query: "q", documents: ["d"], top_n: 1 });
  // @ts-expect-error: a document must be a string or an object
  await reranker.rerank({ query: "q", documents: [1] });
  // @ts-expect-error: options are the second argument
  await Reranker.load({ dtype: "q8" });
  // @ts-expect-error: a device that does not exist
  await Reranker.load(model, { device: "gpu" });
  // @ts-expect-error: workers is a number or "auto"
  await Reranker.load(model, { workers: "1" });
  // @ts-expect-error: a cache is not a number
  await Reranker.load("organization/model", { cache: 1 });
  // @ts-expect-error: a revision is a string
  await Reranker.load("organization/model", { revision: null });
  // @ts-expect-error: baseUrl is a string
  await Reranker.load("organization/model", { baseUrl: new URL("https://mirror.example/") });
  // @ts-expect-error: a token is a string
  await Reranker.load("organization/model", { token: () => "secret" });
  await Reranker.load("organization/model", { integrity: { "config.json": "0".repeat(64) }, cache: { maxBytes: 1e9, refresh: true } });
  const total: number = (await Reranker.downloadSize("organization/model")) + (await Reranker.cache.size());
  for (const { url, complete } of await Reranker.cache.list()) if (!complete || total > 1e9) await Reranker.cache.delete(url);
  // @ts-expect-error: a hash is a string
  await Reranker.load("organization/model", { integrity: { "config.json": 1 } });
  // @ts-expect-error: rerankers are loaded, not constructed
  new Reranker();
  // @ts-expect-error: info is read-only
  reranker.info.numLabels = 2;

  using first = await Reranker.load();
  await using second = await Reranker.load();
  first.dispose();
  second.dispose();
}

export async function explaining(reranker: Reranker): Promise<void> {
  const explanation: Explanation = await reranker.explain("q", "d", {
    unit: "sentence",
    of: "both",
    samples: 2,
    signal: controller.signal,
    onProgress: ({ stage, done, total, explanation: soFar }) => console.log(stage === "explain", done / total, soFar.units.length),
  });
  for (const { text, start, end, contribution } of explanation.units) console.log(text === "query", start, end, contribution.toFixed());
  const { variants } = await reranker.explainCost("q", "d", { samples: 2 });
  const { difference, a, b } = await reranker.compare("q", "a", "b", {
    onProgress: ({ comparison }) => console.log(comparison.difference),
  });
  console.log(variants + difference + a.additivityError + (b.units[0]?.lift ?? 0) + (a.span?.start ?? 0));
  const chosen = { rankFields: ["text"], structured: "yaml", longDocuments: "chunk" } as const;
  console.log((await reranker.explain("q", rows[0] ?? "d", chosen)).span, (await reranker.compare("q", "a", { text: "b" }, chosen)).a);
  const texts: string[] = documentTexts(rows, { rankFields: ["text"] });
  // @ts-expect-error: texts are read as a whole
  documentTexts(rows, { longDocuments: "chunk" });
  console.log(texts.length);
  const { results } = await reranker.rerank({ query: "q", documents: rows, highlights: 2 });
  console.log(results[0]?.highlights?.map(({ start, end, score }) => [start, end, score.toFixed()]));
  for await (const part of reranker.stream({ query: "q", documents: rows, highlights: 1 }))
    console.log(part.results[0]?.highlights?.length);

  // @ts-expect-error: a unit that does not exist
  await reranker.explain("q", "d", { unit: "letter" });
  // @ts-expect-error: nothing is scored
  await reranker.explainCost("q", "d", { onProgress: () => {} });
  // @ts-expect-error: a document is a string or an object
  await reranker.explain("q", 1);
  // @ts-expect-error: an explanation reads as much of the document as fits
  await reranker.explain("q", "d", { maxTokensPerDocument: 9 });
  // @ts-expect-error: the documents are explained
  await reranker.compare("q", "a", "b", { of: "query" });
  // @ts-expect-error: rank returns what sentence-transformers returns
  await reranker.rank("q", ["d"], { highlights: 1 });
  // @ts-expect-error: an explanation is read-only
  explanation.units[0].contribution = 1;
}

export async function best<R extends boolean | undefined>(
  reranker: Reranker,
  options: Omit<RerankOptions<Row, R>, "documents"> & ReturnDocuments<R>,
): Promise<RerankResponse<Row, R>["results"][number] | undefined> {
  return (await reranker.rerank<Row, R>({ ...options, documents: rows })).results[0];
}

export async function streaming(reranker: Reranker): Promise<void> {
  const { signal } = controller;
  for await (const part of reranker.stream({ query: "q", documents: rows, returnDocuments: true, scores: "sigmoid", signal })) {
    const ids: number[] = part.results.map(({ document }) => document.id);
    const total: number | undefined = part.total;
    console.log(ids, part.done.toFixed(), total);
  }
  const endless = function* (): Generator<string> {
    for (;;) yield "d";
  };
  const parts: AsyncGenerator<StreamPart<string>, void> = reranker.stream({ query: "q", documents: endless() });
  await parts.return();
  const later = async function* (): AsyncGenerator<Row> {
    yield* rows;
  };
  for await (const { results } of reranker.stream({ query: "q", documents: later(), returnDocuments: true })) {
    const ids: number[] = results.map(({ document }) => document.id);
    console.log(ids);
  }
  const web = new ReadableStream<Row>();
  const ofWeb: AsyncGenerator<StreamPart<Row>, void> = reranker.stream({ query: "q", documents: web });
  await ofWeb.return();

  // @ts-expect-error: a stream yields all documents, so it has no topN
  reranker.stream({ query: "q", documents: rows, topN: 1 });
  // @ts-expect-error: a stream has no onProgress, because it yields results as they come
  reranker.stream({ query: "q", documents: rows, onProgress: () => {} });
  // @ts-expect-error: a stream is not a promise
  await reranker.stream({ query: "q", documents: rows }).then();
}

export async function searching(reranker: Reranker): Promise<void> {
  const collection: Collection<Row> = await reranker.prepare(rows, {
    rankFields: ["text"],
    maxTokensPerDocument: 64,
    signal: controller.signal,
    onProgress: ({ stage, done, total }) => console.log(stage === "prepare", done / total),
  });
  const candidates = [[0, 1], new Uint32Array([0])];
  for (const found of candidates) {
    for await (const ranking of collection.rank("q", { candidates: found, latest: true, topN: 10, returnDocuments: true })) {
      const soFar: CollectionRanking<Row, true> = ranking;
      const id: number | undefined = soFar.results[0]?.document.id;
      console.log(id, soFar.done === soFar.total, soFar.usage.tokens, collection.size.toFixed());
    }
  }
  using small = await reranker.prepare(["d"]);
  small.dispose();

  // @ts-expect-error: without returnDocuments, the type of the variable does not make it true
  const untrue: AsyncGenerator<CollectionRanking<Row, true>, void> = collection.rank("q");
  await untrue.return();
  // @ts-expect-error: rank of a collection takes the query as its first argument
  collection.rank({ query: "q" });
  // @ts-expect-error: candidates are indices, not documents
  collection.rank("q", { candidates: ["a"] });
  // @ts-expect-error: rankFields is an option of prepare
  collection.rank("q", { rankFields: ["text"] });
  // @ts-expect-error: a ranking is an async iterable, not a promise
  (await collection.rank("q")).results.length;
  // @ts-expect-error: the size of a collection is read-only
  collection.size = 2;
  // @ts-expect-error: documents must be an array, because progress has their number
  await reranker.prepare(new Set(["d"]));
}

export function explain(error: unknown): ErrorCode | undefined {
  return error instanceof RankletError && errorCodes.includes(error.code) ? error.code : undefined;
}

export function itemOf(error: unknown): ErrorItem | undefined {
  const item = error instanceof RankletError ? error.item : undefined;
  const kind: "document" | "pair" | undefined = item?.kind;
  return kind === undefined ? undefined : item;
}

export const options: HandlerOptions = { apiKeys: ["key"], cors: "*", maxQueue: 0 };
export const handler: RerankHandler = createHandler(() => Reranker.load(), options);
export const answer: Promise<Response> = handler(
  new Request("https://api.example/v1/rerank", { method: "POST", signal: controller.signal }),
);

// @ts-expect-error the source is a reranker or a function
createHandler("organization/model");
// @ts-expect-error a misspelled option
createHandler(() => Reranker.load(), { apiKey: "key" });

export async function placing(bytes: Uint8Array, response: Response): Promise<void> {
  const env = { ASSETS: { fetch: async (url: URL, _init?: RequestInit): Promise<Response> => await fetch(url) } };
  await Reranker.load("/model/", { fetch: env.ASSETS });
  await Reranker.load("https://models.example/reranker/", { fetch, wasm: "./ranklet_bg.wasm" });
  for (const wasm of [bytes, bytes.buffer as ArrayBuffer, response, new URL("https://models.example/ranklet_bg.wasm")])
    await Reranker.load(model, { wasm });
  await Reranker.load({
    "config.json": "/assets/config-1a2b.json",
    "tokenizer.json": response,
    "model.safetensors": new URL("https://models.example/a"),
  });

  // @ts-expect-error: an engine is not a number
  await Reranker.load(model, { wasm: 7 });
  // @ts-expect-error: fetch must return a Response
  await Reranker.load(model, { fetch: () => "text" });
}
