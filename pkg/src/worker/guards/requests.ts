// Validates the messages to a worker.
import type { PipelinePlan, SplitRequest } from "../../engine/pipeline/split.js";
import type { DocumentBatch, Job } from "../../scoring/scorer.js";
import { isObject } from "../../util/check.js";
import { typeTag } from "../../util/type-tag.js";
import { scoresValues } from "../../util/union-values.js";
import type { Request } from "../protocol.js";
import {
  type Fields,
  isCount,
  isDocumentLimits,
  isExplainedPair,
  isFiles,
  isIndices,
  isOneOf,
  isPipelinePlan,
  isResult,
  isSettings,
  isSplitPlan,
  isStageBatch,
  isTexts,
  parse,
} from "./values.js";

/** Validates a request. Returns what is wrong with `message` if it is not one. */
export function parseRequest(message: unknown): Request | string {
  return parse<Request>(message, {
    load: isLoad,
    "load-stage": isLoadStage,
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

/** Returns the call's number in a message that may be malformed otherwise. */
export function callOf(message: unknown): number | undefined {
  return isObject(message) && isCount(message["call"]) ? message["call"] : undefined;
}

type RequestOf<T extends Request["type"]> = Extract<Request, { type: T }>;

function isLoad(message: Fields): message is Fields & RequestOf<"load"> {
  return isModel(message) && (message["split"] === undefined || isSplitRequest(message["split"]));
}

function isLoadStage(message: Fields): message is Fields & RequestOf<"load-stage"> {
  const { stage } = message;
  return isModel(message) && isObject(stage) && isCount(stage["number"]) && isPipelinePlan(stage["plan"]);
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
  return isCount(message["call"]) && isStageBatch(message);
}

function isLogits(message: Fields): message is Fields & RequestOf<"logits"> {
  return isCount(message["batch"]) && isResult(message);
}

function isScore(message: Fields): message is Fields & RequestOf<"score"> {
  const { call, job, scores, maxStepMs } = message;
  const isTime = maxStepMs === undefined || typeof maxStepMs === "number";
  return isCount(call) && isJob(job) && isTime && isOneOf(scoresValues, scores);
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

function isSplitRequest(split: unknown): split is SplitRequest | PipelinePlan {
  if (!isObject(split)) return false;
  const { mode, workers, maxBytes } = split;
  return (
    isSplitPlan(split) || ((mode === "auto" || mode === "layers") && isCount(workers) && (maxBytes === undefined || isCount(maxBytes)))
  );
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

function isDocumentBatch(input: unknown): input is DocumentBatch {
  return isObject(input) && isTexts(input["documents"]) && isDocumentLimits(input["limits"]);
}
