import { RankletError } from "../errors.js";
import type { ArrivingFile, ArrivingFiles } from "../model/arriving-file.js";
import {
  chosenForm,
  configFile,
  dataFilesOf,
  fixedFiles,
  isPage,
  type ModelFile,
  type ModelFiles,
  otherFormatIn,
  replacementsOf,
  type WeightsForm,
  weightsForms,
} from "../model/model-files.js";
import { checkHashedFiles, type Integrity } from "./integrity.js";
import { type FileChoice, listModuleFiles, listShards } from "./list.js";
import type { FileSource, OpenedFile } from "./stages.js";
import { filesInConfig, mayMatter } from "./unlisted-files.js";

/** A file's name and content. */
type ReadFile = readonly [name: string, content: Blob];

/** A file with weights, whose content may still be arriving. */
type WeightsFile = readonly [name: string, content: Blob | ArrivingFile];

/** The model card, which can name the model that another one was made from. */
const modelCard: ModelFile = { name: "README.md", required: false, code: "config" };

/**
 * Reads all files of a model, concurrently. Weights may still be arriving when it returns. Of several failures, the first in the
 * order of the files is thrown; the caller then aborts the source. For a model without weights that are read, returns the files
 * from which the engine can tell why.
 * @param chosen the file that the caller chose as the weights
 * @param integrity the hashes that the caller has given. The files are compared with them later.
 * @throws RankletError `input` for a given value that is not a file, or a hash of a file that is known not to exist; `unsupported` for a file that this runtime cannot read;
 *   `config`, `tokenizer` or `weights` for a local or given file that is missing or unreadable; `network` for one that
 *   cannot be downloaded; `integrity` for files of different commits; `out-of-memory` for weights that exceed the budget
 */
export async function collectFiles(source: FileSource, chosen?: WeightsForm, integrity: Integrity = {}): Promise<ArrivingFiles> {
  const config = source.opensConfigFirst ? source.open(configFile) : undefined;
  // It is awaited after the list, and a rejection until then would count as unhandled.
  config?.catch(() => {});
  const listing = await source.list();
  const otherFormat = chosen === undefined && listing !== undefined ? otherFormatOf(listing) : undefined;
  if (otherFormat !== undefined) return new Map([[otherFormat, new Blob()], ...(await readOrigin(source))]);
  if (config !== undefined && (await config) === undefined) {
    await checkRefused(source);
    throw source.missing(configFile);
  }
  const readConfig = readFile(source, configFile, config);
  readConfig.catch(() => {}); // As `config`.
  const files = listing ?? (await filesIn(readConfig));
  if (files !== undefined) checkHashedFiles(files, integrity);
  if (listing === undefined && files !== undefined) source.restrict(files);
  const fixed = readFixed(source, readConfig, files === undefined && source.skipsUnneededFiles);
  const weights = readWeights(source, chosen, files);
  for (const later of [...fixed, weights]) later.catch(() => {}); // Each is awaited below, in order.
  const read: ReadFile[] = [];
  for (const file of fixed) read.push(...(await file));
  const modules = readModules(source, new Map(read));
  return new Map([...read, ...(await Promise.all([weights, modules])).flat()]);
}

/** Lists the files that `config.json` names. */
async function filesIn(config: Promise<readonly ReadFile[]>): Promise<ReadonlySet<string> | undefined> {
  const [read] = await config;
  return read === undefined ? undefined : filesInConfig(read[1]);
}

/**
 * Reads the files with fixed names.
 * @param skipsUnneededFiles whether to leave out optional files that cannot matter for the model
 */
function readFixed(
  source: FileSource,
  readConfig: Promise<readonly ReadFile[]>,
  skipsUnneededFiles: boolean,
): Promise<readonly ReadFile[]>[] {
  const reading = new Map([[configFile.name, readConfig]]);
  const contentOf = async (name: string): Promise<Blob | undefined> => {
    const file = fixedFiles.find((other) => other.name === name);
    return file === undefined ? undefined : (await read(file)).find(([other]) => other === name)?.[1];
  };
  const readUnlessUseless = async (file: ModelFile): Promise<readonly ReadFile[]> => {
    if (!skipsUnneededFiles || (await mayMatter(file, contentOf))) return readFile(source, file);
    source.skip(file);
    return [];
  };
  const read = (file: ModelFile): Promise<readonly ReadFile[]> => {
    const result = reading.get(file.name) ?? readUnlessUseless(file);
    reading.set(file.name, result);
    return result;
  };
  return fixedFiles.map(read);
}

/**
 * Looks for files that must not exist, which explain more than a missing one.
 * @throws RankletError `unsupported` if one exists
 */
async function checkRefused(source: FileSource): Promise<void> {
  for (const file of fixedFiles) if (file.refused !== undefined) await readFile(source, file);
}

/** Returns a file with weights in another format, if a model has no weights that are read and no file that must not exist. */
function otherFormatOf(listing: ReadonlySet<string>): string | undefined {
  const refused = fixedFiles.filter((file) => file.refused !== undefined);
  return [...weightsForms, ...refused].some(({ name }) => listing.has(name)) ? undefined : otherFormatIn(listing);
}

/** Reads the files that can name the model that another one was made from. Neither is needed to explain the failure. */
async function readOrigin(source: FileSource): Promise<readonly ReadFile[]> {
  const files = [modelCard, { ...configFile, required: false }].map((file) => readFile(source, file).catch(() => []));
  return (await Promise.all(files)).flat();
}

/**
 * Reads a file, or its replacements if it does not exist; none if it is optional.
 * @throws RankletError `unsupported` if it exists and must not
 */
async function readFile(source: FileSource, file: ModelFile, opening = source.open(file)): Promise<readonly ReadFile[]> {
  const opened = await opening;
  const read = opened === undefined ? undefined : await content(opened);
  const isReplaced = read !== undefined && (await isPage(read[1]));
  if (read === undefined || (isReplaced && source.pageIsMissing && !file.required)) {
    const others = (await Promise.all(replacementsOf(file).map((other) => readFile(source, other)))).flat();
    if (file.required && others.length === 0) throw source.missing(file);
    return others;
  }
  // The engine refuses a page.
  if (file.refused !== undefined && !isReplaced) throw new RankletError("unsupported", `${file.name}: ${file.refused}`);
  return [read];
}

/**
 * Reads the weights in the first form that exists, with the shards that an index lists, or the tensors next to an ONNX file. If
 * the chosen file does not exist, returns the names of the forms that exist, without content, for the engine's message.
 */
async function readWeights(
  source: FileSource,
  chosen: WeightsForm | undefined,
  listing: ReadonlySet<string> | undefined,
): Promise<readonly WeightsFile[]> {
  const forms = chosen === undefined ? weightsForms : [chosen];
  const opened = await openFirst(source, forms);
  const form = forms.find(({ name }) => name === opened?.name);
  if (opened === undefined || form === undefined) {
    if (chosen === undefined) {
      if (source.skipsUnneededFiles) await checkRefused(source);
      throw source.missingWeights();
    }
    const present = listing ?? (await openAll(source, weightsForms)).map(({ name }) => name);
    return Array.from(present)
      .filter((name) => chosenForm(name) !== undefined)
      .map((name) => [name, new Blob()]);
  }
  if (form.shardSuffix === null) {
    const data = (await Promise.all(dataFilesOf(form).map((files) => openWhileFound(source, files)))).flat();
    source.announce(data.map(({ name }) => name));
    return Promise.all([opened, ...data].map(arriving));
  }
  const index = await content(opened);
  const shards = await listShards(form, index[1]);
  source.announce(shards.map(({ name }) => name));
  return [index, ...(await Promise.all(shards.map((shard) => readShard(source, shard))))];
}

/** @throws RankletError if the shard does not exist */
async function readShard(source: FileSource, shard: ModelFile): Promise<WeightsFile> {
  const opened = await source.open(shard);
  if (opened === undefined) throw source.missing(shard);
  return arriving(opened);
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

/** Opens the files before the first that does not exist. */
async function openWhileFound(source: FileSource, files: readonly ModelFile[]): Promise<readonly OpenedFile[]> {
  const found: OpenedFile[] = [];
  for (const file of files) {
    const opened = await source.open(file);
    if (opened === undefined) break;
    found.push(opened);
  }
  return found;
}

/** Opens all files that exist. */
async function openAll(source: FileSource, files: readonly ModelFile[]): Promise<readonly OpenedFile[]> {
  return (await Promise.all(files.map((file) => source.open(file)))).filter((opened) => opened !== undefined);
}

async function content(opened: OpenedFile): Promise<ReadFile> {
  return [opened.name, await opened.read()];
}

/** Returns a file while it arrives, if workers can read it so. */
async function arriving(opened: OpenedFile): Promise<WeightsFile> {
  return opened.arrive === undefined ? content(opened) : [opened.name, opened.arrive()];
}
