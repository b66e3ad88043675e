import { RankletError, messageOf } from "../errors.js";
import { kindOf } from "../util/check.js";
import type { Platform } from "../platform/platform.js";
import type { DownloadProgress } from "../types.js";
import { bytesOfDataUrl } from "../model/data-url.js";
import { Download } from "../model/download.js";
import { furtherLists, gather, modelFiles, type Files, type FilesPlace, type ModelFile } from "../model/model-files.js";
import { readModules } from "../model/module-list.js";
import { DownloadTally } from "./progress.js";
import { downloadFolder } from "./remote.js";
import type { Room } from "./memory-budget.js";
import type { Source } from "./locate.js";
import { tagOf } from "../util/type-tag.js";
import { noWeights, readWeights, weightsForms } from "../model/weights-index.js";

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
 *   `integrity` for files of different commits; `out-of-memory` for weights that there is no room for
 */
export async function readModelFiles(
  platform: Platform,
  source: Source,
  room: Room,
  signal: AbortSignal,
  onProgress: ((progress: DownloadProgress) => void) | undefined,
): Promise<Files> {
  const tally = (files: readonly ModelFile[]): DownloadTally => new DownloadTally(files.map(({ name }) => name), furtherLists, onProgress);
  switch (source.kind) {
    case "remote":
      return downloadFolder(source, room, signal, tally(modelFiles));
    case "local":
      return readFolder(source.folder, { platform, signal, tally: tally(modelFiles) });
    case "given": {
      const given = givenFiles(source.files);
      const read = given.filter(({ content }) => tagOf(content) === "URL");
      const reading = { platform, signal, tally: tally(read.map(({ file }) => file)) };
      const place = placeOfGiven(source.files, reading);
      return gather(
        given.map(async ({ file, content }) => [file.name, await givenFile(file, content, reading)] as const),
        readWeights(place),
        (list) => readModules(list, place),
      );
    }
  }
}

function readFolder(folder: URL, reading: Reading): Promise<Files> {
  const read = (file: ModelFile): Promise<Blob | undefined> =>
    file.needed ? neededFile(file, new URL(file.name, folder), reading) : localFile(file, new URL(file.name, folder), reading);
  const place: FilesPlace = {
    open: async (file) => {
      const bytes = await read(file);
      return bytes === undefined ? undefined : () => Promise.resolve(bytes);
    },
    onFound: (names) => reading.tally.found(names),
  };
  return gather(
    modelFiles.map(async (file) => [file.name, await read(file)] as const),
    localWeights(folder, place),
    (list) => readModules(list, place),
  );
}

async function localWeights(folder: URL, place: FilesPlace): Promise<readonly (readonly [string, Blob])[]> {
  const weights = await readWeights(place);
  if (weights.length === 0) throw new RankletError("weights", noWeights(`there is none in ${folder.href}`));
  return weights;
}

function placeOfGiven(files: Readonly<Record<string, unknown>>, reading: Reading): FilesPlace {
  return {
    open: async (file) => {
      const content = contentOf(files, file.name);
      if (content !== undefined) return () => givenFile(file, content, reading);
      if (file.needed) throw new RankletError(file.code, `${file.name} is missing from the model's files, though another of them names it`);
      return undefined;
    },
    onFound: (names) => reading.tally.found(names.filter((name) => tagOf(contentOf(files, name)) === "URL")),
  };
}

/** Every file named is wanted: who names one relies on it. */
function givenFiles(files: Readonly<Record<string, unknown>>): readonly Given[] {
  const given: Given[] = [];
  for (const file of modelFiles) {
    const content = contentOf(files, file.name);
    if (content !== undefined) given.push({ file, content });
    else if (file.needed) throw new RankletError(file.code, `${file.name} is missing from the model's files`);
  }
  if (weightsForms.every(({ name }) => contentOf(files, name) === undefined)) {
    throw new RankletError("weights", noWeights("it is not among the model's files"));
  }
  return given;
}

function contentOf(files: Readonly<Record<string, unknown>>, name: string): unknown {
  return Object.hasOwn(files, name) ? files[name] : undefined;
}

async function givenFile(file: ModelFile, content: unknown, reading: Reading): Promise<Blob> {
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

async function fileBehind(file: ModelFile, url: URL, reading: Reading): Promise<Blob> {
  if (url.protocol === "file:") return neededFile(file, url, reading);
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

async function neededFile(file: ModelFile, url: URL, reading: Reading): Promise<Blob> {
  const bytes = await localFile(file, url, reading);
  if (bytes === undefined) throw new RankletError(file.code, `${file.name} is missing: there is no ${url.href}`);
  return bytes;
}

async function localFile(file: ModelFile, url: URL, { platform, signal, tally }: Reading): Promise<Blob | undefined> {
  const bytes = await readable(file, () => platform.readFile(url, signal));
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
