// The messages between a reranker and its worker. The two may come from different versions of the package, e.g. from a
// browser's cache, so each side validates every message it receives.
import { isArriving } from "../engine/arriving-reader.js";
import type { EngineSettings } from "../engine/engine.js";
import type { LayersPlan, PartSettings, SplitPlan, SplitRequest } from "../engine/parts/split.js";
import type { FileData } from "../engine/weights-files.js";
import { type ErrorCode, errorCodes, type ErrorItem } from "../errors.js";
import { isWeightsFile } from "../model/model-files.js";
import type { DocumentBatch, DocumentLimits, ExplainedPair, ExplanationPlan, Job, PartialScores } from "../scoring/scorer.js";
import type { ExplainedTexts, ModelInfo, Scores, TextUnit } from "../types.js";
import { isObject } from "../util/check.js";
import { typeTag } from "../util/type-tag.js";

/** A message to the worker. `call` is the number by which the answer refers to it. */
export type Request =
  /** The first message. Sent once, with a module unless the worker got one when it was connected. */
  | {
      readonly type: "load";
      readonly call: number;
      readonly module: WebAssembly.Module | undefined;
      readonly files: ReadonlyMap<string, FileData>;
      readonly settings: EngineSettings;
      /** How to split the model, for the first of several workers. It answers with `split`, and later with `loaded`. */
      readonly split?: SplitRequest | LayersPlan | undefined;
    }
  /** The first message to a worker with other layers than the first ones. Answered by `done`. */
  | {
      readonly type: "load-part";
      readonly call: number;
      readonly module: WebAssembly.Module | undefined;
      readonly files: ReadonlyMap<string, FileData>;
      readonly settings: EngineSettings;
      readonly part: PartSettings;
    }
  /** Sent to the first worker of a split model when the others are loaded. */
  | { readonly type: "verify"; readonly call: number }
  /** A micro-batch for the layers of a worker. Answered by `ran`. */
  | { readonly type: "run"; readonly call: number; readonly stream: Float32Array; readonly offsets: Uint32Array }
  /** The logits of a micro-batch of the first worker, and the time that the others computed. */
  | { readonly type: "logits"; readonly batch: number; readonly values: Float32Array; readonly ms: number }
  | { readonly type: "score"; readonly call: number; readonly job: Job; readonly scores: Scores; readonly maxStepMs?: number | undefined }
  | { readonly type: "prepare"; readonly call: number; readonly collection: number; readonly input: DocumentBatch }
  | { readonly type: "plan"; readonly call: number; readonly pair: ExplainedPair }
  | { readonly type: "sentences"; readonly call: number; readonly query: string; readonly input: DocumentBatch }
  | { readonly type: "release"; readonly collection: number }
  | { readonly type: "cancel"; readonly call: number };

/** A message from the worker. Each call is answered once: by `failed`, or by one of the others but `partial`. */
export type Reply =
  /** The worker holds the lock that shows that it runs. Other messages may come first. */
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly call: number; readonly info: ModelInfo }
  /** The model after a failed GPU has changed it during a call of another user. */
  | { readonly type: "changed"; readonly info: ModelInfo }
  | {
      readonly type: "partial";
      readonly call: number;
      readonly partial: PartialScores;
      /** The indices of the pairs in the job, if several workers score it. */
      readonly indices?: Uint32Array | undefined;
    }
  | { readonly type: "done"; readonly call: number }
  | { readonly type: "planned"; readonly call: number; readonly plan: ExplanationPlan }
  | { readonly type: "divided"; readonly call: number; readonly sentences: readonly Uint32Array[] }
  /** How the model is split, before its weights are read. */
  | { readonly type: "split"; readonly plan: SplitPlan }
  /** A micro-batch after the first layers, for the other workers. */
  | { readonly type: "batch"; readonly batch: number; readonly stream: Float32Array; readonly offsets: Uint32Array }
  /** The logits of a micro-batch are not needed any more. */
  | { readonly type: "dropped"; readonly batch: number }
  | { readonly type: "ran"; readonly call: number; readonly values: Float32Array; readonly ms: number }
  | {
      readonly type: "failed";
      /** `undefined` if the request was too malformed to have a number. */
      readonly call: number | undefined;
      readonly code: ErrorCode;
      readonly message: string;
      /** The documents or pairs of the job that the error is about, if they are known. */
      readonly item?: ErrorItem | undefined;
      /** Whether the worker can no longer be used. */
      readonly fatal: boolean;
      /** The model after a failed GPU has changed it. */
      readonly info?: ModelInfo | undefined;
    };

/** Validates a request. Returns what is wrong with `message` if it is not one. */
export function parseRequest(message: unknown): Request | string {
  return parse<Request>(message, {
    load: isLoad,
    "load-part": isLoadPart,
    verify: isVerify,
    score: isScore,
    run: isRun,
    logits: isLogits,
    prepare: isPrepare,
    plan: isPlan,
    sentences: isSentences,
    release: isRelease,
    cancel: isCancel,
  });
}

/** Validates a reply. Returns what is wrong with `message` if it is not one. */
export function parseReply(message: unknown): Reply | string {
  return parse<Reply>(message, {
    ready: isReady,
    loaded: isLoaded,
    changed: isChanged,
    partial: isPartial,
    done: isDone,
    planned: isPlanned,
    divided: isDivided,
    split: isSplit,
    batch: isBatch,
    dropped: isDropped,
    ran: isRan,
    failed: isFailed,
  });
}

/** Returns the call's number in a message that may be malformed otherwise. */
export function callOf(message: unknown): number | undefined {
  return isObject(message) && isCount(message["call"]) ? message["call"] : undefined;
}

export type Fields = Readonly<Record<string, unknown>>;
export type Guards<M extends { readonly type: string }> = {
  readonly [T in M["type"]]: (message: Fields) => message is Fields & Extract<M, { type: T }>;
};
type RequestOf<T extends Request["type"]> = Extract<Request, { type: T }>;
type ReplyOf<T extends Reply["type"]> = Extract<Reply, { type: T }>;

/** Validates a message by the guard of its type. Returns what is wrong with it if it is not one. */
export function parse<M extends { readonly type: string }>(message: unknown, guards: Guards<M>): M | string {
  if (!isObject(message)) return "it is not an object";
  const { type } = message;
  if (typeof type !== "string" || !Object.hasOwn(guards, type)) return "its type is unknown";
  const isValid = guards[type as M["type"]];
  return isValid(message) ? message : `a field of "${type}" is wrong`;
}

function isLoad(message: Fields): message is Fields & RequestOf<"load"> {
  return isModel(message) && (message["split"] === undefined || isSplitRequest(message["split"]));
}

function isLoadPart(message: Fields): message is Fields & RequestOf<"load-part"> {
  const { part } = message;
  return isModel(message) && isObject(part) && isCount(part["part"]) && isCuts(part["cuts"]) && isCount(part["unpooledRows"]);
}

/** Whether a message has a call's number, and what an engine needs. */
function isModel({ call, module, files, settings }: Fields): boolean {
  return (
    isCount(call) &&
    (module === undefined || typeTag(module) === "WebAssembly.Module") &&
    isSettings(settings) &&
    isFiles(files, settings.weights)
  );
}

function isVerify(message: Fields): message is Fields & RequestOf<"verify"> {
  return isCount(message["call"]);
}

function isRun(message: Fields): message is Fields & RequestOf<"run"> {
  return isCount(message["call"]) && isPartialBatch(message);
}

function isLogits(message: Fields): message is Fields & RequestOf<"logits"> {
  return isCount(message["batch"]) && isResult(message);
}

function isScore(message: Fields): message is Fields & RequestOf<"score"> {
  const { call, job, scores, maxStepMs } = message;
  const isTime = maxStepMs === undefined || typeof maxStepMs === "number";
  return (
    isCount(call) && isJob(job) && isTime && (scores === "model" || scores === "raw" || scores === "sigmoid" || scores === "probability")
  );
}

function isPrepare(message: Fields): message is Fields & RequestOf<"prepare"> {
  const { call, collection, input } = message;
  return isCount(call) && isCount(collection) && isDocumentBatch(input);
}

function isPlan(message: Fields): message is Fields & RequestOf<"plan"> {
  return isCount(message["call"]) && isExplainedPair(message["pair"]);
}

function isSentences(message: Fields): message is Fields & RequestOf<"sentences"> {
  const { call, query, input } = message;
  return isCount(call) && typeof query === "string" && isDocumentBatch(input);
}

function isRelease(message: Fields): message is Fields & RequestOf<"release"> {
  return isCount(message["collection"]);
}

function isCancel(message: Fields): message is Fields & RequestOf<"cancel"> {
  return isCount(message["call"]);
}

/** Whether a worker says that it holds the lock of its name. */
export function isReady(message: Fields): message is Fields & ReplyOf<"ready"> {
  return message["type"] === "ready";
}

function isLoaded(message: Fields): message is Fields & ReplyOf<"loaded"> {
  return isCount(message["call"]) && isInfo(message["info"]);
}

function isChanged(message: Fields): message is Fields & ReplyOf<"changed"> {
  return isInfo(message["info"]);
}

/** Whether a model's info has what a reranker computes with; users see the rest as it is. */
export function isInfo(info: unknown): info is ModelInfo {
  if (!isObject(info) || !isObject(info["backend"])) return false;
  const { device, workers } = info["backend"];
  return (
    isCount(info["numLabels"]) && info["numLabels"] > 0 && isCount(info["maxLength"]) && typeof device === "string" && isCount(workers)
  );
}

function isPartial(message: Fields): message is Fields & ReplyOf<"partial"> {
  const { call, partial, indices } = message;
  return (
    isCount(call) &&
    isObject(partial) &&
    typeTag(partial["scores"]) === "Float32Array" &&
    (partial["spans"] === undefined || isIndices(partial["spans"])) &&
    isCount(partial["tokens"]) &&
    typeof partial["engineMs"] === "number" &&
    (indices === undefined || isIndices(indices))
  );
}

function isDone(message: Fields): message is Fields & ReplyOf<"done"> {
  return isCount(message["call"]);
}

function isPlanned(message: Fields): message is Fields & ReplyOf<"planned"> {
  const { call, plan } = message;
  if (!isCount(call) || !isObject(plan)) return false;
  const { variants, chunks, units, terms } = plan;
  return [variants, chunks].every(isCount) && [units, terms].every(isIndices);
}

function isDivided(message: Fields): message is Fields & ReplyOf<"divided"> {
  const { call, sentences } = message;
  return isCount(call) && Array.isArray(sentences) && Array.from<unknown>(sentences).every(isIndices);
}

function isSplit(message: Fields): message is Fields & ReplyOf<"split"> {
  return isSplitPlan(message["plan"]);
}

function isBatch(message: Fields): message is Fields & ReplyOf<"batch"> {
  return isCount(message["batch"]) && isPartialBatch(message);
}

function isDropped(message: Fields): message is Fields & ReplyOf<"dropped"> {
  return isCount(message["batch"]);
}

function isRan(message: Fields): message is Fields & ReplyOf<"ran"> {
  return isCount(message["call"]) && isResult(message);
}

function isPartialBatch({ stream, offsets }: Fields): boolean {
  return typeTag(stream) === "Float32Array" && typeTag(offsets) === "Uint32Array";
}

function isResult({ values, ms }: Fields): boolean {
  return typeTag(values) === "Float32Array" && typeof ms === "number";
}

function isSplitRequest(split: unknown): split is SplitRequest | LayersPlan {
  if (!isObject(split)) return false;
  const { mode, workers, maxBytes } = split;
  return (
    isSplitPlan(split) || ((mode === "auto" || mode === "layers") && isCount(workers) && (maxBytes === undefined || isCount(maxBytes)))
  );
}

function isSplitPlan(plan: unknown): plan is SplitPlan {
  if (!isObject(plan)) return false;
  if (plan["split"] === "copies") return isCount(plan["workers"]);
  return plan["split"] === "layers" && isCuts(plan["cuts"]) && isCount(plan["unpooledRows"]) && typeof plan["bytes"] === "number";
}

function isCuts(cuts: unknown): cuts is readonly number[] {
  return Array.isArray(cuts) && Array.from<unknown>(cuts).every(isUint32);
}

function isFailed(message: Fields): message is Fields & ReplyOf<"failed"> {
  const { call, code, message: text, item, fatal, info } = message;
  return (
    (call === undefined || isCount(call)) &&
    errorCodes.some((known) => known === code) &&
    typeof text === "string" &&
    (item === undefined || isItem(item)) &&
    typeof fatal === "boolean" &&
    (info === undefined || isInfo(info))
  );
}

export function isItem(item: unknown): item is ErrorItem {
  if (!isObject(item)) return false;
  const { kind, start, end } = item;
  return (kind === "document" || kind === "pair") && isCount(start) && isCount(end) && start < end;
}

function isJob(job: unknown): job is Job {
  if (!isObject(job)) return false;
  switch (job["kind"]) {
    case "query":
      return typeof job["query"] === "string" && isTexts(job["documents"]) && isDocumentLimits(job["limits"]);
    case "pairs":
      return isTexts(job["queries"]) && isTexts(job["documents"]);
    case "prepared": {
      const { query, collection, candidates } = job;
      return typeof query === "string" && isCount(collection) && (candidates === undefined || isIndices(candidates));
    }
    case "variants":
      return isExplainedPair(job["pair"]) && isIndices(job["variants"]);
    default:
      return false;
  }
}

function isExplainedPair(pair: unknown): pair is ExplainedPair {
  if (!isObject(pair)) return false;
  const { query, document, unit, of, samples, chunk } = pair;
  const isChunk = chunk === undefined || (isObject(chunk) && isUint32(chunk["start"]) && isUint32(chunk["end"]));
  return (
    [query, document].every((text) => typeof text === "string") && isUnit(unit) && isExplainedTexts(of) && isUint32(samples) && isChunk
  );
}

function isUnit(unit: unknown): unit is TextUnit {
  return unit === "word" || unit === "sentence";
}

function isExplainedTexts(of: unknown): of is ExplainedTexts {
  return of === "query" || of === "document" || of === "both";
}

function isDocumentBatch(input: unknown): input is DocumentBatch {
  return isObject(input) && isTexts(input["documents"]) && isDocumentLimits(input["limits"]);
}

function isIndices(value: unknown): value is Uint32Array {
  return typeTag(value) === "Uint32Array";
}

/** @param chosen the file that the caller chose as the weights; only weights may be arriving */
export function isFiles(files: unknown, chosen?: string): files is ReadonlyMap<string, FileData> {
  if (typeTag(files) !== "Map") return false;
  return [...(files as ReadonlyMap<unknown, unknown>)].every(
    ([name, data]) =>
      typeof name === "string" &&
      ((isArriving(data) && isWeightsFile(name, chosen)) || ["Blob", "File", "ArrayBuffer", "SharedArrayBuffer"].includes(typeTag(data))),
  );
}

export function isSettings(settings: unknown): settings is EngineSettings {
  if (!isObject(settings)) return false;
  const { device, dtype, weights, max_length, max_memory_bytes, cpu_workers, reason, no_cache } = settings;
  const limits = [max_length, max_memory_bytes, cpu_workers];
  const isOptionalString = (value: unknown): boolean => value === undefined || typeof value === "string";
  return (
    typeof device === "string" &&
    typeof dtype === "string" &&
    limits.every(isLimit) &&
    [weights, reason].every(isOptionalString) &&
    (no_cache === undefined || no_cache === true)
  );
}

function isDocumentLimits(limits: unknown): limits is DocumentLimits {
  return (
    isObject(limits) &&
    isLimit(limits["maxTokensPerDocument"]) &&
    (limits["longDocuments"] === "truncate" || limits["longDocuments"] === "chunk")
  );
}

function isTexts(texts: unknown): texts is readonly string[] {
  // Array.from visits the holes of a sparse array, which `every` skips.
  return Array.isArray(texts) && Array.from<unknown>(texts).every((text) => typeof text === "string");
}

function isLimit(limit: unknown): limit is number | undefined {
  return limit === undefined || isUint32(limit);
}

/** Whether `value` is a count that the engine takes, whose numbers have 32 bits. */
function isUint32(value: unknown): value is number {
  return isCount(value) && value <= 0xffff_ffff;
}

/** Whether `value` is a non-negative integer. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
