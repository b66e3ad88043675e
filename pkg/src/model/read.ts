import { RankletError, messageOf } from "../errors.js";
import { kindOf } from "../options.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress } from "../types.js";
import { bytesOfDataUrl } from "./data-url.js";
import { Download } from "./download.js";
import { gather, modelFiles, type Files, type ModelFile } from "./files.js";
import { DownloadTally } from "./progress.js";
import { downloadFolder } from "./remote.js";
import type { Source } from "./source.js";
import { tagOf } from "./tag.js";

interface Reading {
  readonly platform: Platform;
  readonly signal: AbortSignal;
  readonly tally: DownloadTally;
}

/** A file that was given, and what. */
interface Given {
  readonly file: ModelFile;
  readonly content: unknown;
}

/**
 * Reads a model's files, all at once. The caller aborts `signal` to end what is left after a failure.
 * @throws RankletError `input` for a file that is none; `unsupported` for one that cannot be read here;
 *   `config`, `tokenizer` or `weights` for a local file that is missing; `network` for one that cannot be downloaded;
 *   `integrity` for files of different commits
 */
export async function readModelFiles(
  platform: Platform,
  source: Source,
  signal: AbortSignal,
  onProgress: ((progress: DownloadProgress) => void) | undefined,
): Promise<Files> {
  const tally = (files: readonly ModelFile[]): DownloadTally => new DownloadTally(files.map(({ name }) => name), onProgress);
  switch (source.kind) {
    case "remote":
      return downloadFolder(source, signal, tally(modelFiles));
    case "local":
      return readFolder(source.folder, { platform, signal, tally: tally(modelFiles) });
    case "given": {
      const given = givenFiles(source.files);
      const read = given.filter(({ content }) => tagOf(content) === "URL");
      return readGiven(given, { platform, signal, tally: tally(read.map(({ file }) => file)) });
    }
  }
}

function readFolder(folder: URL, reading: Reading): Promise<Files> {
  return gather(modelFiles.map(async (file) => [file.name, await localFile(file, new URL(file.name, folder), file.needed, reading)] as const));
}

function readGiven(given: readonly Given[], reading: Reading): Promise<Files> {
  return gather(given.map(async ({ file, content }) => [file.name, await givenFile(file, content, reading)] as const));
}

/** Every file named is wanted: who names one relies on it. */
function givenFiles(files: Readonly<Record<string, unknown>>): readonly Given[] {
  const given: Given[] = [];
  for (const file of modelFiles) {
    const content = Object.hasOwn(files, file.name) ? files[file.name] : undefined;
    if (content !== undefined) given.push({ file, content });
    else if (file.needed) throw new RankletError(file.code, `${file.name} is missing from the model's files`);
  }
  return given;
}

async function givenFile(file: ModelFile, content: unknown, reading: Reading): Promise<Blob | undefined> {
  switch (tagOf(content)) {
    case "Uint8Array":
    case "ArrayBuffer":
    case "Blob":
    case "File":
      return new Blob([content as Uint8Array<ArrayBuffer> | ArrayBuffer | Blob]);
    case "URL":
      return fileBehind(file, content as URL, reading);
    default:
      throw new RankletError("input", `load: ${file.name} must be a Uint8Array, an ArrayBuffer, a Blob or a URL, not ${kindOf(content)}`);
  }
}

async function fileBehind(file: ModelFile, url: URL, reading: Reading): Promise<Blob | undefined> {
  if (url.protocol === "file:") return localFile(file, url, true, reading);
  const { signal, tally } = reading;
  if (url.username !== "" || url.password !== "") throw new RankletError("input", `load: the URL of ${file.name} has a name or password in it, which requests cannot take`);
  if (url.protocol === "data:") {
    const bytes = await readable(file, async () => bytesOfDataUrl(url));
    tally.tell(file.name, bytes.size, bytes.size);
    return bytes;
  }
  const download = await Download.open(url, { signal, pageIsMissing: true });
  if (download === undefined) throw new RankletError("network", `${file.name} is missing: ${url.href} answered 404 or a page of HTML`);
  tally.expect(file.name, download.length);
  return download.bytes((loaded, total) => tally.tell(file.name, loaded, total));
}

async function localFile(file: ModelFile, url: URL, needed: boolean, { platform, signal, tally }: Reading): Promise<Blob | undefined> {
  const bytes = await readable(file, () => platform.readFile(url, signal));
  if (bytes === undefined && needed) throw new RankletError(file.code, `${file.name} is missing: there is no ${url.href}`);
  const size = bytes?.size ?? 0;
  tally.tell(file.name, size, size);
  return bytes;
}

/** Gives a failure to read, such as missing permission, the code of the file it is about. */
async function readable<T>(file: ModelFile, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw new RankletError(file.code, `${file.name} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
