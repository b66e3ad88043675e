// Guards of values that are in several messages.
import { isArriving } from "../../engine/arriving-reader.js";
import type { EngineSettings } from "../../engine/engine.js";
import type { PipelinePlan, SplitPlan } from "../../engine/pipeline/split.js";
import type { FileData } from "../../engine/weights-files.js";
import { isWeightsFile } from "../../model/model-files.js";
import type { DocumentLimits, ExplainedPair } from "../../scoring/scorer.js";
import { isObject, maxUint32 } from "../../util/check.js";
import { typeTag } from "../../util/type-tag.js";
import { explainedTextsValues, longDocumentsValues, textUnitValues } from "../../util/union-values.js";

export type Fields = Readonly<Record<string, unknown>>;

export type Guards<M extends { readonly type: string }> = {
  readonly [T in M["type"]]: (message: Fields) => message is Fields & Extract<M, { type: T }>;
};

/** Validates a message by the guard of its type. Returns what is wrong with it if it is not one. */
export function parse<M extends { readonly type: string }>(message: unknown, guards: Guards<M>): M | string {
  if (!isObject(message)) return "it is not an object";
  const { type } = message;
  if (typeof type !== "string" || !Object.hasOwn(guards, type)) return "its type is unknown";
  const isValid = guards[type as M["type"]];
  return isValid(message) ? message : `a field of "${type}" is wrong`;
}

export function isStageBatch({ hiddenStates, offsets }: Fields): boolean {
  return typeTag(hiddenStates) === "Float32Array" && typeTag(offsets) === "Uint32Array";
}

export function isSplitPlan(plan: unknown): plan is SplitPlan {
  return isPipelinePlan(plan) || (isObject(plan) && plan["split"] === "copies" && isCount(plan["workers"]));
}

export function isPipelinePlan(plan: unknown): plan is PipelinePlan {
  if (!isObject(plan)) return false;
  const { split, splitPoints, unpooledRows, bytes } = plan;
  return (
    split === "layers" &&
    Array.isArray(splitPoints) &&
    Array.from<unknown>(splitPoints).every(isUint32) &&
    isCount(unpooledRows) &&
    typeof bytes === "number"
  );
}

export function isExplainedPair(pair: unknown): pair is ExplainedPair {
  if (!isObject(pair)) return false;
  const { query, document, unit, of, samples, longDocuments, chunk } = pair;
  const isChunk = chunk === undefined || (isObject(chunk) && isUint32(chunk["start"]) && isUint32(chunk["end"]));
  return (
    [query, document].every((text) => typeof text === "string") &&
    isOneOf(textUnitValues, unit) &&
    isOneOf(explainedTextsValues, of) &&
    isUint32(samples) &&
    isOneOf(longDocumentsValues, longDocuments) &&
    isChunk
  );
}

/** Whether `value` is one of some strings. */
export function isOneOf(values: readonly string[], value: unknown): boolean {
  return values.some((known) => known === value);
}

export function isIndices(value: unknown): value is Uint32Array {
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

export function isDocumentLimits(limits: unknown): limits is DocumentLimits {
  return isObject(limits) && isLimit(limits["maxTokensPerDocument"]) && isOneOf(longDocumentsValues, limits["longDocuments"]);
}

export function isTexts(texts: unknown): texts is readonly string[] {
  // Array.from visits the holes of a sparse array, which `every` skips.
  return Array.isArray(texts) && Array.from<unknown>(texts).every((text) => typeof text === "string");
}

function isLimit(limit: unknown): limit is number | undefined {
  return limit === undefined || isUint32(limit);
}

/** Whether `value` is a count that the engine takes, whose numbers have 32 bits. */
function isUint32(value: unknown): value is number {
  return isCount(value) && value <= maxUint32;
}

/** Whether `value` is a non-negative integer. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isResult({ values, ms }: Fields): boolean {
  return typeTag(values) === "Float32Array" && typeof ms === "number";
}
