import type { ErrorCode } from "../errors.js";
import modelFilesJson from "./model_files.js";

/** The content of a model's files by name. */
export type ModelFiles = ReadonlyMap<string, Blob>;

/** One file that a model can have. */
export interface ModelFile {
  /** Its path in the model's folder, such as `config.json` or `2_Dense/model.safetensors`. */
  readonly name: string;
  /** Whether a model without it cannot be loaded. */
  readonly required: boolean;
  /** The code of errors about this file. */
  readonly code: ErrorCode;
  /** Why a model that has this file cannot be loaded, if so. */
  readonly refused?: string;
  /** The files that are read if this one does not exist. */
  readonly replacements?: readonly string[];
  /** Advice for the user if it is missing. */
  readonly advice?: string;
  /**
   * When the file is requested from a location that does not list its files: never, if another file exists, or unless that has
   * one of some fields.
   */
  readonly unlisted?: false | { readonly file: string; readonly without?: readonly string[] };
  /** The file that lists this one, if its name is not fixed. */
  readonly listedIn?: string;
}

/** A form of a model's weights. */
export interface WeightsForm extends ModelFile {
  /** The ending of the files that an index lists; `null` for a form that is the weights themselves. */
  readonly shardSuffix: string | null;
}

/** `src/checkpoint/model_files.json`, which the engine reads too. `src/checkpoint/model_layout.rs` describes its fields. */
interface ModelLayout {
  readonly files: readonly ModelFile[];
  readonly weights: readonly { readonly name: string; readonly shardSuffix: string | null }[];
  readonly weightsNames: { readonly suffixes: readonly string[]; readonly indexSuffix: string };
  readonly onnx: { readonly suffix: string; readonly dataSuffixes: readonly string[] };
  readonly otherFormats: readonly { readonly ending: string }[];
  readonly modules: {
    readonly list: string;
    readonly readIf: { readonly file: string; readonly field: string; readonly value: string };
    readonly config: string;
    readonly weights: readonly string[];
    readonly kinds: readonly { readonly name: string; readonly config: Presence; readonly weights: Presence }[];
  };
  readonly names: { readonly maxBytes: number; readonly punctuation: string; readonly forbidden: string };
  readonly pages: readonly string[];
  readonly limits: {
    readonly maxSmallFileBytes: number;
    readonly maxIndexBytes: number;
    readonly maxShards: number;
    readonly maxDataFiles: number;
    readonly maxModulesBytes: number;
    readonly maxModules: number;
    readonly maxListedFiles: number;
  };
}

type Presence = "none" | "optional" | "required";

const layout: ModelLayout = modelFilesJson;

/** Upper bounds on the files that list others. */
export const { maxIndexBytes, maxShards, maxModulesBytes, maxModules, maxListedFiles } = layout.limits;

/** Returns the max length of a file that is downloaded. Weights have none, except that of the memory. */
export function maxBytesOf({ name, code }: ModelFile): number {
  return code === "weights" && !name.endsWith(layout.weightsNames.indexSuffix) ? Infinity : layout.limits.maxSmallFileBytes;
}

/** Where modules are listed, and what their files are called. */
export const moduleLayout = layout.modules;

/** All files with fixed names except weights, in the order in which a missing one is reported. */
export const fixedFiles: readonly ModelFile[] = layout.files;

/** The names of these files. */
export const fixedNames: readonly string[] = fixedFiles.map(({ name }) => name);

/** Returns the files that are read if `file` does not exist. */
export function replacementsOf({ replacements = [], code }: ModelFile): readonly ModelFile[] {
  return replacements.map((name) => ({ name, required: false, code }));
}

/** Returns the message for a missing file. `why` says where it was looked for. */
export function missingMessage({ name, advice }: ModelFile, why: string): string {
  return `${name} is missing${why}${advice === undefined ? "" : `; ${advice}`}`;
}

/** Every model has this file, and it is small, so it is opened first. */
export const configFile = fixedFiles.find(({ name }) => name === "config.json") as ModelFile;

/** The forms of a model's weights, in the order in which transformers prefers them. The first that exists is read. */
export const weightsForms: readonly WeightsForm[] = layout.weights.map((form) => ({ ...form, required: false, code: "weights" }));

/** Returns the message for a model without weights. `why` says where the first form was looked for. */
export function missingWeightsMessage(why: string): string {
  const [first, ...others] = weightsForms.map(({ name }) => name);
  return `${first} is missing: ${why}; add it, or one of ${others.join(", ")}`;
}

/** Returns the first name of weights in a format that is not read. */
export function otherFormatIn(names: Iterable<string>): string | undefined {
  const lowerCase = Array.from(names, (name) => [name, name.toLowerCase()] as const);
  for (const { ending } of layout.otherFormats) {
    const found = lowerCase.find(([, name]) => name.endsWith(ending));
    if (found !== undefined) return found[0];
  }
  return undefined;
}

/** Returns the form of weights in a file that a caller has chosen. Returns `undefined` for a name that weights cannot have. */
export function chosenForm(name: string): WeightsForm | undefined {
  const { suffixes, indexSuffix } = layout.weightsNames;
  const [file = "", folder, ...deeper] = name.split("/").reverse();
  if (!isPlainName(file) || !(folder === undefined || isPlainName(folder)) || deeper.length > 0) return undefined;
  const isIndex = file.endsWith(indexSuffix);
  const suffix = suffixes.find((known) => file.endsWith(isIndex ? known + indexSuffix : known));
  if (suffix === undefined || (isIndex && (folder !== undefined || suffix === layout.onnx.suffix))) return undefined;
  return { name, required: false, code: "weights", shardSuffix: isIndex ? suffix : null };
}

/** Returns the message for a name that weights cannot have. */
export function unknownWeightsMessage(option: string, name: string): string {
  const { suffixes, indexSuffix } = layout.weightsNames;
  const examples = '"onnx/model_quantized.onnx" or "model.safetensors"';
  return `${option}: ${name} is not the name of a file of weights in the model's folder, such as ${examples}; its name ends with ${suffixes.join(", ")}, or with ${indexSuffix} for an index`;
}

/**
 * Returns the files beside an ONNX file that can have its tensors: alternatives, each a list of files that exist only if those
 * before them do.
 */
export function dataFilesOf({ name }: WeightsForm): readonly (readonly ModelFile[])[] {
  const { suffix, dataSuffixes } = layout.onnx;
  if (!name.endsWith(suffix)) return [];
  const [numbered, single] = dataSuffixes.map(
    (dataSuffix): ModelFile => ({ name: `${name}${dataSuffix}`, required: false, code: "weights" }),
  ) as [ModelFile, ModelFile];
  const more = Array.from(
    { length: layout.limits.maxDataFiles - 2 },
    (_, at): ModelFile => ({ ...numbered, name: `${numbered.name}_${at + 1}` }),
  );
  return [[single], [numbered, ...more]];
}

/** Whether a model can have a file of this name: one with a fixed name, a file of weights, or a module's. */
export function isModelFileName(name: string): boolean {
  const fixed = [...fixedFiles, ...fixedFiles.flatMap(replacementsOf)];
  return fixed.some((file) => file.name === name) || chosenForm(name) !== undefined || isWeightsName(name) || isModuleFileName(name);
}

/** Whether `name` can be one of several weights files. */
export function isShardName(name: string, suffix: string | null): boolean {
  return suffix !== null && name.endsWith(suffix) && isPlainName(name);
}

/** Whether the file has the model's tensors, or some of them. All other files are small, unless a caller chose one. */
function isWeightsName(name: string): boolean {
  return weightsForms.some(({ shardSuffix }) => isShardName(name, shardSuffix)) || isOnnxName(name);
}

/**
 * Whether an engine reads the file in pieces, as weights.
 * @param chosen the file that the caller chose as the weights
 */
export function isWeightsFile(name: string, chosen: string | undefined): boolean {
  return name === chosen ? !name.endsWith(".json") : isWeightsName(name);
}

/** Whether the file is an ONNX file, or has the tensors of one. */
function isOnnxName(name: string): boolean {
  const { suffix, dataSuffixes } = layout.onnx;
  const end = name.lastIndexOf(suffix) + suffix.length;
  const ending = name.slice(end).replace(/_\d{1,2}$/, "");
  return name.includes(suffix) && (ending === "" || dataSuffixes.includes(ending)) && chosenForm(name.slice(0, end)) !== undefined;
}

/** Whether a file is a page that a server sent instead of it. */
export async function isPage(content: Blob): Promise<boolean> {
  const start = (await content.slice(0, 64).text()).trimStart().toLowerCase();
  return layout.pages.some((page) => start.startsWith(page));
}

/** Whether `name` is a plain file or folder name, which no URL or file system reads as a path. */
export function isPlainName(name: string): boolean {
  const { maxBytes, punctuation, forbidden } = layout.names;
  const isAllowed = (character: string): boolean => /[A-Za-z0-9]/.test(character) || punctuation.includes(character);
  return name.length >= 1 && name.length <= maxBytes && [...name].every(isAllowed) && !name.startsWith(".") && !name.includes(forbidden);
}

function isModuleFileName(name: string): boolean {
  const [folder = "", file = "", ...deeper] = name.split("/");
  return isPlainName(folder) && [moduleLayout.config, ...moduleLayout.weights].includes(file) && deeper.length === 0;
}
