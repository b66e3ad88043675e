import { RankletError } from "../errors.js";
import type { DownloadProgress } from "../types.js";
import { abortSignal, callback, notOffered, oneOf, positiveInteger, string, wrongType } from "../util/check.js";

export const loadChecks = {
  device: oneOf(["auto", "webgpu", "cpu"]),
  dtype: oneOf(["auto", "f32", "f16", "q8", "q4"]),
  workers: workerCount,
  maxLength: positiveInteger,
  signal: abortSignal,
  onProgress: callback<DownloadProgress>,
  revision: string,
  baseUrl: string,
  token: accessToken,
  cache: cacheOption,
  integrity: notOffered("fetch and check the files yourself and give them to load"),
  maxMemoryBytes: positiveInteger,
};

/** Each worker holds the model: more than these help nobody. */
const maxWorkers = 64;

function workerCount(value: unknown, name: string): "auto" | number {
  if (value === "auto") return value;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= maxWorkers) return value as number;
  throw wrongType(name, `"auto" or a whole number from 0 to ${maxWorkers}`, value);
}

function cacheOption(value: unknown, name: string): boolean | string {
  if (typeof value === "boolean" || (typeof value === "string" && value !== "")) return value;
  throw wrongType(name, "true, false or the name of a cache", value);
}

/** What it is given is a secret and not repeated. */
function accessToken(value: unknown, name: string): string {
  if (typeof value === "string" && /^[\x21-\x7e]+$/.test(value)) return value;
  throw new RankletError("input", `${name} must be an access token: a string of visible ASCII characters without spaces`);
}
