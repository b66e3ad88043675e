import { isObject } from "../util/check.js";
import { modelFiles, type Files } from "./model-files.js";
import { weightsForms } from "./weights-index.js";

/** What a cache holds of one model. A cache without it, or with one that is wrong, holds nothing. */
export interface Manifest {
  readonly version: 1;
  /** The model, as the URL of its files. */
  readonly model: string;
  /** The folder in the store that has the files. */
  readonly set: string;
  /** Length of each file in bytes. */
  readonly files: Readonly<Record<string, number>>;
  /** Files that the model does not have; of weights, which come in one of several forms, none is listed. */
  readonly absent: readonly string[];
}

const mostBytes = 65_536;
const hour = 3_600_000;

/** A name for a folder that nobody else has used, with the time in it. */
export function newSet(): string {
  return `${Date.now()}-${Math.random().toString(36).slice(2)}`;
}

/** Whether `name` is one of `newSet`: what is not is neither read nor removed. */
export function isSet(name: unknown): name is string {
  return typeof name === "string" && /^\d{1,15}-[a-z0-9]{1,20}$/.test(name);
}

/** Whether whoever began to write the set has had an hour for it. */
export function isOld(set: string): boolean {
  return Date.now() - Number.parseInt(set, 10) > hour;
}

export function manifestOf(model: string, set: string, files: Files): Manifest {
  const absent = modelFiles.map(({ name }) => name).filter((name) => !files.has(name));
  return { version: 1, model, set, files: Object.fromEntries([...files].map(([name, { size }]) => [name, size])), absent };
}

/** The manifest that `content` is, if it is one of `model`, says of every file whether there is one, and has weights. */
export async function parseManifest(model: string, content: Blob): Promise<Manifest | undefined> {
  if (content.size > mostBytes) return undefined;
  const manifest = parseJson(await content.text());
  if (!isObject(manifest)) return undefined;
  const { version, model: named, set, files, absent } = manifest;
  if (version !== 1 || named !== model || !isSet(set) || !isObject(files) || !Array.isArray(absent)) return undefined;
  const told = modelFiles.every(({ name, needed }) => Object.hasOwn(files, name) || (!needed && absent.includes(name)));
  const hasWeights = weightsForms.some(({ name }) => Object.hasOwn(files, name));
  return told && hasWeights && Object.values(files).every(Number.isSafeInteger) ? (manifest as unknown as Manifest) : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
