import { isObject } from "../util/check.js";
import { fixedFiles, fixedNames, type ModelFile, type ModelFiles, replacementsOf, type WeightsForm } from "./model-files.js";

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
}

const maxManifestBytes = 65_536;
const hourMs = 3_600_000;

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
  return Date.now() - Number.parseInt(name, 10) > hourMs;
}

export function createManifest(model: string, entry: string, files: ModelFiles): Manifest {
  const absent = fixedNames.filter((name) => !files.has(name));
  return { version: 1, model, set: entry, files: Object.fromEntries([...files].map(([name, { size }]) => [name, size])), absent };
}

/** Parses a manifest. Returns `undefined` unless it is of `model`, knows of every fixed file, and has weights in one of the forms. */
export async function parseManifest(model: string, weights: readonly WeightsForm[], content: Blob): Promise<Manifest | undefined> {
  if (content.size > maxManifestBytes) return undefined;
  const manifest = parseJson(await content.text());
  if (!isObject(manifest)) return undefined;
  const { version, model: url, set, files, absent } = manifest;
  if (version !== 1 || url !== model || !isEntryName(set) || !isObject(files) || !Array.isArray(absent)) return undefined;
  const has = ({ name }: ModelFile): boolean => Object.hasOwn(files, name);
  const isOptional = (file: ModelFile): boolean => !file.required || replacementsOf(file).some(has);
  const isComplete = fixedFiles.every((file) => has(file) || (isOptional(file) && absent.includes(file.name)));
  const hasWeights = weights.some(({ name }) => Object.hasOwn(files, name));
  return isComplete && hasWeights && Object.values(files).every(Number.isSafeInteger) ? (manifest as unknown as Manifest) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
