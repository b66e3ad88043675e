import { download } from "./download.js";
import { RankletError, messageOf, type ErrorCode } from "../errors.js";
import { isObject, kindOf } from "../options.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress } from "../types.js";

/** The files that are read, in the order in which a missing one is reported. */
const modelFiles: readonly { readonly name: string; readonly needed: boolean; readonly code: ErrorCode }[] = [
  { name: "config.json", needed: true, code: "config" },
  { name: "tokenizer.json", needed: true, code: "tokenizer" },
  { name: "model.safetensors", needed: true, code: "weights" },
  { name: "tokenizer_config.json", needed: false, code: "tokenizer" },
  { name: "config_sentence_transformers.json", needed: false, code: "config" },
  { name: "sentence_bert_config.json", needed: false, code: "config" },
  { name: "modules.json", needed: false, code: "config" },
];

/** One file to read. */
interface Wanted {
  readonly name: string;
  readonly content: unknown;
  /** Whether the model does without it. */
  readonly optional: boolean;
  /** The code of the error that says it is missing or unreadable. */
  readonly code: ErrorCode;
}

interface Reading {
  readonly platform: Platform;
  readonly signal: AbortSignal;
  readonly onProgress: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * Reads a model's files, all at once. The caller aborts `signal` to end what is left after a failure.
 * @throws RankletError `input` for a source that is none; `unsupported` for one that cannot be read here;
 *   `config`, `tokenizer` or `weights` for a local file that is missing; `network` for one that cannot be downloaded
 */
export async function readModelFiles(
  platform: Platform,
  source: unknown,
  signal: AbortSignal,
  onProgress: ((progress: DownloadProgress) => void) | undefined,
): Promise<ReadonlyMap<string, Blob>> {
  const wanted = filesOf(platform, source);
  const reading = { platform, signal, onProgress };
  const read = await Promise.all(wanted.map(async (file) => [file.name, await readFile(file, reading)] as const));
  return new Map(read.filter((entry): entry is readonly [string, Blob] => entry[1] !== undefined));
}

function filesOf(platform: Platform, source: unknown): readonly Wanted[] {
  if (source === undefined) return givenFiles(platform.defaultModel());
  if (typeof source === "string") return folderFiles(folderOf(platform, source));
  if (tagOf(source) === "URL") return folderFiles(source as URL);
  if (isObject(source)) return givenFiles(source);
  throw new RankletError("input", `load: the model must be a folder's URL or its files, not ${kindOf(source)}`);
}

/** Every file named is wanted: who names one relies on it. */
function givenFiles(files: Readonly<Record<string, unknown>>): readonly Wanted[] {
  const wanted: Wanted[] = [];
  for (const { name, needed, code } of modelFiles) {
    const content = Object.hasOwn(files, name) ? files[name] : undefined;
    if (content !== undefined) wanted.push({ name, content, optional: false, code });
    else if (needed) throw new RankletError(code, `${name} is missing from the model's files`);
  }
  return wanted;
}

function folderFiles(folder: URL): readonly Wanted[] {
  if (folder.search !== "" || folder.hash !== "") {
    throw new RankletError("input", `load: ${folder.href} has a query or fragment, which the files in the folder cannot take over`);
  }
  const base = folder.href.endsWith("/") ? folder : new URL(`${folder.href}/`);
  return modelFiles.map(({ name, needed, code }) => ({ name, content: new URL(name, base), optional: !needed, code }));
}

function folderOf(platform: Platform, source: string): URL {
  if (/^(\/|\.\.?(\/|$))/.test(source)) return platform.folder(source);
  if (/^(https?|file):\/\//i.test(source) && URL.canParse(source)) return new URL(source);
  if (/^[\w.-]+\/[\w.-]+$/.test(source)) {
    throw new RankletError(
      "unsupported",
      `load: the Hub id "${source}" is not available: give the URL of a folder with the model's files (a path starts with "./"), or the files`,
    );
  }
  throw new RankletError("input", `load: ${kindOf(source)} is neither a folder's URL nor a path that starts with "/", "./" or "../"`);
}

async function readFile(file: Wanted, reading: Reading): Promise<Blob | undefined> {
  const { name, content } = file;
  switch (tagOf(content)) {
    case "Uint8Array":
    case "ArrayBuffer":
    case "Blob":
    case "File":
      return new Blob([content as Uint8Array<ArrayBuffer> | ArrayBuffer | Blob]);
    case "URL":
      return (content as URL).protocol === "file:" ? fileBytes(file, content as URL, reading) : httpBytes(file, content as URL, reading);
    default:
      throw new RankletError("input", `load: ${name} must be a Uint8Array, an ArrayBuffer, a Blob or a URL, not ${kindOf(content)}`);
  }
}

async function fileBytes(file: Wanted, url: URL, { platform, signal, onProgress }: Reading): Promise<Blob | undefined> {
  const bytes = await localBytes(file, () => platform.readFile(url, signal));
  if (bytes !== undefined) onProgress?.({ stage: "download", file: file.name, loaded: bytes.size, total: bytes.size });
  else if (!file.optional) throw new RankletError(file.code, `${file.name} is missing: there is no ${url.href}`);
  return bytes;
}

async function httpBytes(file: Wanted, url: URL, { signal, onProgress }: Reading): Promise<Blob | undefined> {
  const bytes = await download(url, signal, (loaded, total) => onProgress?.({ stage: "download", file: file.name, loaded, total }));
  if (bytes === undefined && !file.optional) {
    throw new RankletError("network", `${file.name} is missing: ${url.href} answered 404 or a page of HTML`);
  }
  return bytes;
}

/** Gives a failure to read, such as missing permission, the code of the file it is about. */
async function localBytes<T>(file: Wanted, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw new RankletError(file.code, `${file.name} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The built-in class of `value`, whichever realm it comes from: "Uint8Array" for a Buffer too. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}
