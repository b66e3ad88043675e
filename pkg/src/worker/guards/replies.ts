// Validates the messages from a worker.
import { type ErrorItem, errorCodes } from "../../errors.js";
import type { ModelInfo } from "../../types.js";
import { isObject } from "../../util/check.js";
import { typeTag } from "../../util/type-tag.js";
import type { Reply } from "../protocol.js";
import { type Fields, isCount, isIndices, isResult, isSplitPlan, isStageBatch, parse } from "./values.js";

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

type ReplyOf<T extends Reply["type"]> = Extract<Reply, { type: T }>;

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
  return isCount(message["batch"]) && isStageBatch(message);
}

function isDropped(message: Fields): message is Fields & ReplyOf<"dropped"> {
  return isCount(message["batch"]);
}

function isRan(message: Fields): message is Fields & ReplyOf<"ran"> {
  return isCount(message["call"]) && isResult(message);
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
