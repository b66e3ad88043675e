import { isObject } from "../util/check.js";
import type { FileVersion } from "./file-version.js";
import {
  fixedFiles,
  fixedNames,
  type ModelFile,
  type ModelFiles,
  maxModules,
  maxShards,
  replacementsOf,
  type WeightsForm,
} from "./model-files.js";

/** The JSON that describes a cached model. A cache without a valid one does not have the model. */
export interface Manifest {
  readonly version: 1;
  /** The URL of the model's folder. */
  readonly model: string;
  /** The name of the cache entry, which is the folder of the store that has the files. */
  readonly set: string;
  /** Length of each file in bytes. */
  readonly files: Readonly<Record<string, number>>;
  /** Files with fixed names that the model does not have. Weights are not listed: they come in one of several forms. */
  readonly absent: readonly string[];
  /** ETag of each file, if its server named one. */
  readonly etags?: Readonly<Record<string, string | undefined>>;
  /** The commit that the files are of, if it is known. */
  readonly commit?: string;
}

/** The JSON that describes a download that was not finished. */
interface DownloadRecord {
  readonly version: 1;
  readonly model: string;
  /** The name of the entry that the files are written to. */
  readonly set: string;
  readonly files: Readonly<Record<string, FileVersion>>;
}

export const manifestName = "manifest.json";
export const recordName = "download.json";

/**
 * Upper bound on the files of a model: those with fixed names or what replaces them, the weights with their index, and the
 * configuration and weights of each module.
 */
const maxFiles = fixedFiles.flatMap((file) => [file, ...replacementsOf(file)]).length + 1 + maxShards + 2 * maxModules;
/** A file takes about 340 bytes of a record: its name, URL, ETag and SHA-256. A long URL takes more. */
const maxManifestBytes = 1024 * maxFiles;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;

/** Creates a unique name for a cache entry. It begins with the current time. */
export function newEntryName(): string {
  return `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

/** Whether `name` has the form of `newEntryName`. Other names in a store are neither read nor removed. */
export function isEntryName(name: unknown): name is string {
  return typeof name === "string" && /^\d{1,15}-[a-z0-9]{1,20}$/.test(name);
}

/** Whether an entry is older than an hour, so that an unfinished write can be cleaned up. */
export function isOldEntry(name: string): boolean {
  return ageOf(name) > hourMs;
}

/** Whether an unfinished download began so long ago that it is not continued. */
export function isStaleDownload({ set }: DownloadRecord): boolean {
  return ageOf(set) > weekMs;
}

/** Whether an unfinished download began so long ago that it hardly runs any more. */
export function isOldDownload({ set }: DownloadRecord): boolean {
  return ageOf(set) > dayMs;
}

function ageOf(entry: string): number {
  return Date.now() - Number.parseInt(entry, 10);
}

/** A complete cache entry. */
export interface EntryContent {
  /** The entry's name. */
  readonly entry: string;
  readonly files: ModelFiles;
  readonly etags: Manifest["etags"] & object;
  /** The commit that the files are of, if it is known. */
  readonly commit: string | undefined;
}

export function createManifest(model: string, { entry, files, etags, commit }: EntryContent): Blob {
  const absent = fixedNames.filter((name) => !files.has(name));
  const lengths = Object.fromEntries([...files].map(([name, { size }]) => [name, size]));
  return jsonBlob<Manifest>({ version: 1, model, set: entry, files: lengths, absent, etags, ...(commit === undefined ? {} : { commit }) });
}

export function createRecord(model: string, entry: string, files: DownloadRecord["files"]): Blob {
  return jsonBlob<DownloadRecord>({ version: 1, model, set: entry, files });
}

/** Parses a record. Returns `undefined` unless it is one of `model`. */
export async function parseRecord(model: string, content: Blob): Promise<DownloadRecord | undefined> {
  const record = content.size > maxManifestBytes ? undefined : parseJson(await content.text());
  if (
    !isObject(record) ||
    record["version"] !== 1 ||
    record["model"] !== model ||
    !isEntryName(record["set"]) ||
    !isObject(record["files"])
  )
    return undefined;
  return Object.values(record["files"]).every(isFileVersion) ? (record as unknown as DownloadRecord) : undefined;
}

function isFileVersion(value: unknown): boolean {
  if (!isObject(value) || typeof value["url"] !== "string") return false;
  const isOptional = (name: string, type: string): boolean => value[name] === undefined || typeof value[name] === type;
  return isOptional("etag", "string") && isOptional("sha256", "string") && isOptional("bytes", "number");
}

/** Parses a manifest. Returns `undefined` unless it is of `model`, knows of every fixed file, and has weights in one of the forms. */
export async function parseManifest(model: string, weights: readonly WeightsForm[], content: Blob): Promise<Manifest | undefined> {
  if (content.size > maxManifestBytes) return undefined;
  const manifest = parseJson(await content.text());
  if (!isObject(manifest)) return undefined;
  const { version, model: url, set, files, absent, etags = {}, commit = "" } = manifest;
  if (version !== 1 || url !== model || !isEntryName(set) || !isObject(files) || !Array.isArray(absent)) return undefined;
  if (!isObject(etags) || ![...absent, ...Object.values(etags), commit].every((text) => typeof text === "string")) return undefined;
  const has = ({ name }: ModelFile): boolean => Object.hasOwn(files, name);
  const isOptional = (file: ModelFile): boolean => !file.required || replacementsOf(file).some(has);
  const isComplete = fixedFiles.every((file) => has(file) || (isOptional(file) && absent.includes(file.name)));
  const hasWeights = weights.some(({ name }) => Object.hasOwn(files, name));
  return isComplete && hasWeights && Object.values(files).every(Number.isSafeInteger) ? (manifest as unknown as Manifest) : undefined;
}

/** Parses JSON. Returns `undefined` for other texts. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function jsonBlob<T>(value: T): Blob {
  return new Blob([JSON.stringify(value)]);
}
