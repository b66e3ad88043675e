import type { ErrorCode } from "../errors.js";

/** A model's files by name. */
export type Files = ReadonlyMap<string, Blob>;

/** One file that a model can have. */
export interface ModelFile {
  readonly name: string;
  /** Whether a model without it cannot be loaded. */
  readonly needed: boolean;
  /** The code of the error that says it is missing or unreadable. */
  readonly code: ErrorCode;
}

/** The file that every model has and that is small: where there is a choice, it is asked for first. */
export const configFile: ModelFile = { name: "config.json", needed: true, code: "config" };

/** The file that lists what lies in folders of its own. */
const modulesFile = "modules.json";

/** The others that are read, but for the weights, in the order in which a missing one is reported. */
export const otherFiles: readonly ModelFile[] = [
  { name: "tokenizer.json", needed: true, code: "tokenizer" },
  { name: "tokenizer_config.json", needed: false, code: "tokenizer" },
  { name: "special_tokens_map.json", needed: false, code: "tokenizer" },
  { name: "added_tokens.json", needed: false, code: "tokenizer" },
  { name: "config_sentence_transformers.json", needed: false, code: "config" },
  { name: "sentence_bert_config.json", needed: false, code: "config" },
  { name: modulesFile, needed: false, code: "config" },
];

/** All files that are read, but for the weights. */
export const modelFiles: readonly ModelFile[] = [configFile, ...otherFiles];

/** Where files are looked for whose names are in other files: those of the weights, and those of modules. */
export interface FilesPlace {
  /** Asks for a file: what gives its bytes, or `undefined` where there is none. Throws where a file that is needed is missing. */
  open(file: ModelFile): Promise<(() => Promise<Blob>) | undefined>;
  /** Hears, once, which further files will be read, when that is sure. */
  onFound(names: readonly string[]): void;
}

/** How many lists of further files a model has, each told to `onFound`: of the weights, and of the modules. */
export const furtherLists = 2;

/** A file's name and its bytes, where there is one. */
export type Read = readonly [string, Blob | undefined];

/**
 * Waits for files, the weights, and the files of the modules that one of the files lists; those that turn out not to be
 * there are left out. Where several fail, the first in this order says why.
 */
export async function gather(
  files: readonly Promise<Read>[],
  weights: Promise<readonly (readonly [string, Blob])[]>,
  modules: (list: Blob | undefined) => Promise<readonly (readonly [string, Blob])[]>,
): Promise<Files> {
  for (const later of [...files, weights]) later.catch(() => {}); // Each is waited for below, in its turn.
  const read: Read[] = [];
  for (const file of files) read.push(await file);
  const [held, further] = await Promise.all([weights, modules(new Map(read).get(modulesFile))]);
  return new Map([...read.filter((entry): entry is readonly [string, Blob] => entry[1] !== undefined), ...held, ...further]);
}
