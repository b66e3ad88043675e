import { RankletError } from "../errors.js";
import { configFile, fixedFiles, type ModelFile, type ModelFiles, replacementsOf, weightsForms } from "../model/model-files.js";
import { type FileChoice, listModuleFiles, listShards } from "./list.js";
import type { FileSource, OpenedFile } from "./stages.js";

/** A file's name and content. */
type ReadFile = readonly [name: string, content: Blob];

/**
 * Reads all files of a model, concurrently. Of several failures, the first in the order of the files is thrown; the caller
 * then aborts the source.
 * @throws RankletError `input` for a given value that is not a file; `unsupported` for a file that this runtime cannot read;
 *   `config`, `tokenizer` or `weights` for a local or given file that is missing or unreadable; `network` for one that
 *   cannot be downloaded; `integrity` for files of different commits; `out-of-memory` for weights that exceed the budget
 */
export async function collectFiles(source: FileSource): Promise<ModelFiles> {
  const config = source.open(configFile);
  if (source.opensConfigFirst && (await config) === undefined) {
    // A file that must not exist explains more than a missing one.
    for (const file of fixedFiles) if (file.refused !== undefined) await readFile(source, file);
    throw source.missing(configFile);
  }
  const fixed = fixedFiles.map((file) => readFile(source, file, file === configFile ? config : undefined));
  const weights = readWeights(source);
  for (const later of [...fixed, weights]) later.catch(() => {}); // Each is awaited below, in order.
  const read: ReadFile[] = [];
  for (const file of fixed) read.push(...(await file));
  const modules = readModules(source, new Map(read));
  return new Map([...read, ...(await Promise.all([weights, modules])).flat()]);
}

/**
 * Reads a file, or its replacements if it does not exist; none if it is optional.
 * @throws RankletError `unsupported` if it exists and must not
 */
async function readFile(source: FileSource, file: ModelFile, opening = source.open(file)): Promise<readonly ReadFile[]> {
  const opened = await opening;
  if (opened === undefined) {
    const read = (await Promise.all(replacementsOf(file).map((other) => readFile(source, other)))).flat();
    if (file.required && read.length === 0) throw source.missing(file);
    return read;
  }
  const read = await content(opened);
  if (file.refused !== undefined) throw new RankletError("unsupported", `${file.name}: ${file.refused}`);
  return [read];
}

/** Reads the weights in the first form that exists, with the shards that an index lists. */
async function readWeights(source: FileSource): Promise<readonly ReadFile[]> {
  const opened = await openFirst(source, weightsForms);
  if (opened === undefined) throw source.missingWeights();
  const form = weightsForms.find(({ name }) => name === opened.name);
  if (form === undefined || form.shardSuffix === null) {
    source.announce([]);
    return [await content(opened)];
  }
  const index = await content(opened);
  const shards = await listShards(form, index[1]);
  source.announce(shards.map(({ name }) => name));
  return [index, ...(await Promise.all(shards.map((shard) => readFile(source, shard)))).flat()];
}

/** Reads the files of the modules that one of the fixed files lists. */
async function readModules(source: FileSource, files: ModelFiles): Promise<readonly ReadFile[]> {
  const choices = await listModuleFiles(files);
  const opened = (await Promise.all(choices.map((choice) => openFirst(source, choice)))).filter((file) => file !== undefined);
  source.announce(opened.map(({ name }) => name));
  return Promise.all(opened.map(content));
}

/**
 * Opens the first of alternative files that exists.
 * @throws RankletError if none does and the last is required
 */
async function openFirst(source: FileSource, choice: FileChoice): Promise<OpenedFile | undefined> {
  for (const file of choice) {
    const opened = await source.open(file);
    if (opened !== undefined) return opened;
    if (file.required) throw source.missing(file);
  }
  return undefined;
}

async function content(opened: OpenedFile): Promise<ReadFile> {
  return [opened.name, await opened.read()];
}
