// The messages between a tab and the shared worker that holds a model for all tabs. Calls go through a port of their own, as
// those of worker/protocol.ts. Each side validates every message it receives, because the two may come from different versions
// of the package.
import { isArriving } from "../../engine/arriving-reader.js";
import type { EngineSettings } from "../../engine/engine.js";
import { type ErrorCode, type ErrorItem, errorCodes } from "../../errors.js";
import type { ModelFiles } from "../../model/model-files.js";
import type { DownloadProgress, ModelInfo } from "../../types.js";
import { isObject } from "../../util/check.js";
import { isInfo, isItem } from "../../worker/guards/replies.js";
import { type Fields, type Guards, isCount, isFiles, isSettings, parse } from "../../worker/guards/values.js";
import { maxWorkers } from "../../worker/pool.js";

/** A message of a tab. */
export type TabMessage =
  /** The first message, with the port for calls. The tab holds the lock until it ends. */
  | { readonly type: "join"; readonly lock: string }
  /** The answer to `supply`. A tab that cannot answer it leaves. */
  | {
      readonly type: "load";
      readonly files: ModelFiles;
      readonly settings: EngineSettings;
      readonly workers: "auto" | number;
      readonly split: "auto" | "copies" | "layers";
    }
  | { readonly type: "progress"; readonly progress: DownloadProgress }
  /** A worker that the tab has started, or could not start, has ended. */
  | { readonly type: "ended"; readonly worker: string; readonly reason: string }
  | { readonly type: "leave" };

/** A message of the shared worker. */
export type SharedMessage =
  /** The shared worker runs, and holds the lock until it ends. */
  | { readonly type: "ready"; readonly lock: string }
  /** The tab has to load the model, because no other tab does. */
  | { readonly type: "supply" }
  /** The progress of the tab that loads. */
  | { readonly type: "progress"; readonly progress: DownloadProgress }
  /** The model can be used through the port for calls. */
  | { readonly type: "loaded"; readonly info: ModelInfo }
  | {
      readonly type: "failed";
      readonly code: ErrorCode;
      readonly message: string;
      readonly item?: ErrorItem | undefined;
      /** Whether the model was not loaded because no worker could be started for it. */
      readonly isStart: boolean;
    }
  /** The tab has to start a worker, and to pass the message's port to it. */
  | { readonly type: "start"; readonly worker: string }
  | { readonly type: "terminate"; readonly worker: string };

type TabMessageOf<T extends TabMessage["type"]> = Extract<TabMessage, { type: T }>;
type SharedMessageOf<T extends SharedMessage["type"]> = Extract<SharedMessage, { type: T }>;

/** Validates a message of a tab. Returns what is wrong with it if it is not one. */
export function parseTabMessage(message: unknown): TabMessage | string {
  const guards: Guards<TabMessage> = { join: isJoin, load: isLoad, progress: isProgress, ended: isEnded, leave: isLeave };
  return parse<TabMessage>(message, guards);
}

/** Validates a message of the shared worker. Returns what is wrong with it if it is not one. */
export function parseSharedMessage(message: unknown): SharedMessage | string {
  const guards: Guards<SharedMessage> = {
    ready: isReady,
    supply: isSupply,
    progress: isProgress,
    loaded: isLoaded,
    failed: isFailed,
    start: isStart,
    terminate: isTerminate,
  };
  return parse<SharedMessage>(message, guards);
}

function isJoin(message: Fields): message is Fields & TabMessageOf<"join"> {
  return typeof message["lock"] === "string";
}

function isLoad(message: Fields): message is Fields & TabMessageOf<"load"> {
  const { files, settings, workers, split } = message;
  return (
    isFiles(files) &&
    [...files.values()].every((data) => "size" in data && !isArriving(data)) &&
    isSettings(settings) &&
    (workers === "auto" || isWorkers(workers)) &&
    (split === "auto" || split === "copies" || split === "layers")
  );
}

function isProgress(message: Fields): message is Fields & TabMessageOf<"progress"> & SharedMessageOf<"progress"> {
  const { progress } = message;
  if (!isObject(progress)) return false;
  const { stage, file, loaded, total, overall } = progress;
  return stage === "download" && typeof file === "string" && isOfTotal({ loaded, total }) && isOfTotal(overall);
}

function isEnded(message: Fields): message is Fields & TabMessageOf<"ended"> {
  return typeof message["worker"] === "string" && typeof message["reason"] === "string";
}

function isLeave(message: Fields): message is Fields & TabMessageOf<"leave"> {
  return message["type"] === "leave";
}

function isReady(message: Fields): message is Fields & SharedMessageOf<"ready"> {
  return typeof message["lock"] === "string";
}

function isSupply(message: Fields): message is Fields & SharedMessageOf<"supply"> {
  return message["type"] === "supply";
}

function isLoaded(message: Fields): message is Fields & SharedMessageOf<"loaded"> {
  return isInfo(message["info"]);
}

function isFailed(message: Fields): message is Fields & SharedMessageOf<"failed"> {
  const { code, message: text, item, isStart: isStartError } = message;
  return (
    errorCodes.some((known) => known === code) &&
    typeof text === "string" &&
    (item === undefined || isItem(item)) &&
    typeof isStartError === "boolean"
  );
}

function isStart(message: Fields): message is Fields & SharedMessageOf<"start"> {
  return typeof message["worker"] === "string";
}

function isTerminate(message: Fields): message is Fields & SharedMessageOf<"terminate"> {
  return typeof message["worker"] === "string";
}

function isOfTotal(value: unknown): boolean {
  return isObject(value) && isCount(value["loaded"]) && (value["total"] === undefined || isCount(value["total"]));
}

function isWorkers(value: unknown): value is number {
  return isCount(value) && value >= 1 && value <= maxWorkers;
}
