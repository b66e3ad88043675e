import type { EngineSettings } from "../engine/engine.js";
import { RankletError } from "../errors.js";
import { accessToken, type HubOptions } from "../model/hub.js";
import { chosenForm, unknownWeightsMessage, type WeightsForm } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress, LoadOptions, ScoreCacheOptions } from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import {
  abortSignal,
  boolean,
  callback,
  checkOptions,
  isObject,
  kindOf,
  oneOf,
  positiveInteger,
  string,
  wrongType,
} from "../util/check.js";
import { optionName } from "../util/option-names.js";
import type { FetchFunction } from "../util/request.js";
import { typeTag } from "../util/type-tag.js";
import { maxWorkers } from "../worker/pool.js";
import { type CacheSetting, cacheSetting } from "./cache-options.js";
import { type Integrity, integrityOption } from "./integrity.js";

/** The options of `load`, checked and with their defaults. */
export interface CheckedLoadOptions {
  readonly settings: EngineSettings;
  readonly workers: "auto" | number;
  readonly split: "auto" | "copies" | "layers";
  readonly hub: HubOptions;
  /** The file that the caller chose as the weights. */
  readonly weights: WeightsForm | undefined;
  readonly integrity: Integrity | undefined;
  readonly scoreCache: ScoreCacheOptions | undefined;
  /** The engine's file: bytes, a compiled module, a response, a URL, or a URL or path as a string. */
  readonly wasm: unknown;
  readonly fetch: FetchFunction | undefined;
  readonly cache: CacheSetting;
  readonly localFilesOnly: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
}

const loadChecks = {
  device: oneOf(["auto", "webgpu", "cpu"], { wasm: "cpu", gpu: "webgpu" }),
  dtype: oneOf(["auto", "f32", "f16", "q8", "q4"], { fp32: "f32", float32: "f32", fp16: "f16", float16: "f16", int8: "q8", uint8: "q8" }),
  workers: workerCount,
  split: oneOf(["auto", "copies", "layers"]),
  maxLength: positiveInteger,
  signal: abortSignal,
  onProgress: callback<DownloadProgress>,
  revision: string,
  baseUrl: string,
  token: accessToken,
  cache: cacheSetting,
  localFilesOnly: boolean,
  wasm: engineFile,
  fetch: fetchFunction,
  maxMemoryBytes: positiveInteger,
  weights: weightsFile,
  integrity: integrityOption,
  scoreCache: scoreCacheOptions,
};

/** Options that are not offered, most of them of transformers and transformers.js. */
export const loadRefusals = {
  progressCallback: "use onProgress",
  quantized: "use dtype, or weights to choose one of several files",
  modelFileName: 'use weights, such as "onnx/model_quantized.onnx"',
  subfolder: 'use weights, such as "onnx/model_quantized.onnx"',
  useExternalDataFormat: "files with the tensors of an ONNX file are found by their names; leave it out",
  torchDtype: "use dtype",
  threads: "use workers",
  trustRemoteCode: "no code of a model is ever run; leave it out",
};

/** Returns the first name in an object that has options of `load` and nothing else; `undefined` for another object. */
export function firstOptionIn(value: object): string | undefined {
  const names = Object.keys(value);
  const known = Object.keys({ ...loadChecks, ...loadRefusals });
  return names.every((name) => optionName(name, known) !== undefined) ? names[0] : undefined;
}

/**
 * Checks the options of `load`.
 * @throws RankletError `input` or `unsupported` for an option; `aborted` if the signal is
 */
export function readLoadOptions(platform: Platform, options: LoadOptions | undefined): CheckedLoadOptions {
  const checked = checkOptions("load", options, loadChecks, loadRefusals);
  const {
    signal,
    onProgress,
    device = "auto",
    dtype = "auto",
    workers = "auto",
    split = "auto",
    cache = {},
    localFilesOnly = false,
    maxLength,
    maxMemoryBytes,
    weights,
    integrity,
    scoreCache,
    wasm,
    fetch,
  } = checked;
  throwIfAborted(signal);
  if (split === "layers" && (device === "webgpu" || (workers !== "auto" && workers < 2))) {
    throw new RankletError("input", 'load: split "layers" needs at least 2 workers and the CPU; leave it out');
  }
  // A given number of copies shares the limit evenly. "auto" and layers need no more than all of it together.
  const sharers = workers === "auto" || split === "layers" ? 1 : Math.max(1, workers);
  const settings: EngineSettings = {
    ...deviceSettings(platform, device, workers),
    dtype,
    ...(weights === undefined ? {} : { weights: weights.name }),
    ...(maxLength === undefined ? {} : { max_length: maxLength }),
    ...(cache.isWanted === false ? { no_cache: true } : {}),
    ...(maxMemoryBytes === undefined ? {} : { max_memory_bytes: Math.floor(maxMemoryBytes / sharers) }),
  };
  return {
    settings,
    workers,
    split,
    hub: checked,
    weights,
    integrity,
    scoreCache,
    wasm,
    fetch,
    cache,
    localFilesOnly,
    signal,
    onProgress,
  };
}

/**
 * Chooses the engine's device setting. "auto" leaves the choice to the engine only if the runtime has WebGPU.
 * @throws RankletError `unsupported` if "webgpu" is required and missing, or requested for several workers
 */
function deviceSettings(
  platform: Platform,
  device: "auto" | "webgpu" | "cpu",
  workers: "auto" | number,
): Pick<EngineSettings, "device" | "reason"> {
  if (device === "auto") return platform.hasGpu() ? { device } : { device: "cpu", reason: "this runtime has no WebGPU" };
  if (device === "cpu") return { device };
  if (!platform.hasGpu()) {
    throw new RankletError(
      "unsupported",
      'load: device "webgpu" is not available: this runtime has no WebGPU (browsers have it on https pages only); use "auto" or "cpu"',
    );
  }
  if (workers !== "auto" && workers > 1) {
    throw new RankletError("unsupported", `load: workers ${workers} cannot share a GPU; use "auto", 1 or 0 with the device "webgpu"`);
  }
  return { device: "gpu" };
}

function scoreCacheOptions(value: unknown, name: string): ScoreCacheOptions {
  const { maxBytes } = checkOptions(name, value, { maxBytes: positiveInteger });
  if (maxBytes === undefined) throw new RankletError("input", `${name} must have maxBytes, the max memory of the cache`);
  return { maxBytes };
}

function workerCount(value: unknown, name: string): "auto" | number {
  if (value === "auto") return value;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxWorkers) return value as number;
  throw wrongType(name, `"auto" or a whole number from 0 to ${maxWorkers}`, value);
}

/** Checks the option `weights` of `load`. */
export function weightsFile(value: unknown, name: string): WeightsForm {
  if (typeof value !== "string") throw wrongType(name, "the name of a file", value);
  const form = chosenForm(value);
  if (form === undefined) throw new RankletError("input", unknownWeightsMessage(name, kindOf(value)));
  return form;
}

function engineFile(value: unknown, name: string): unknown {
  if (typeof value === "string" || ["Uint8Array", "ArrayBuffer", "WebAssembly.Module", "Response", "URL"].includes(typeTag(value)))
    return value;
  throw wrongType(name, "the engine's bytes, a WebAssembly.Module, a Response, a URL or a path", value);
}

function fetchFunction(value: unknown, name: string): FetchFunction {
  if (typeof value === "function") return value as FetchFunction;
  // A binding of Cloudflare Workers, such as env.ASSETS. Its method needs its object.
  const binding = value as { readonly fetch: FetchFunction };
  if (isObject(value) && typeof binding.fetch === "function") return (url, init) => binding.fetch(url, init);
  throw wrongType(name, "a function such as the global fetch, or a binding such as env.ASSETS", value);
}
