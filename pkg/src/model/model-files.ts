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
  /** What to do if it is missing, for messages. */
  readonly advice?: string;
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
  readonly modules: {
    readonly list: string;
    readonly readIf: { readonly file: string; readonly field: string; readonly value: string };
    readonly config: string;
    readonly weights: readonly string[];
    readonly kinds: readonly { readonly name: string; readonly config: Presence; readonly weights: Presence }[];
  };
  readonly names: { readonly maxBytes: number; readonly punctuation: string; readonly forbidden: string };
  readonly limits: { readonly maxIndexBytes: number; readonly maxShards: number; readonly maxModulesBytes: number; readonly maxModules: number };
}

type Presence = "none" | "optional" | "required";

const layout: ModelLayout = modelFilesJson;

/** Upper bounds on the files that list others. */
export const { maxIndexBytes, maxShards, maxModulesBytes, maxModules } = layout.limits;

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
  const advice = "weights in ONNX, GGUF, TensorFlow or Flax are not read: load the model that they were made from";
  return `${first} is missing: ${why}; so are the other forms of weights, ${others.join(", ")}; ${advice}`;
}

/** Whether a model can have a file of this name: one with a fixed name, a shard of weights, or a module's. */
export function isModelFileName(name: string): boolean {
  return [...fixedFiles, ...fixedFiles.flatMap(replacementsOf), ...weightsForms].some((file) => file.name === name) || isWeightsName(name) || isModuleFileName(name);
}

/** Whether `name` can be one of several weights files. */
export function isShardName(name: string, suffix: string | null): boolean {
  return suffix !== null && name.endsWith(suffix) && isPlainName(name);
}

/** Whether the file has the model's tensors, or some of them. All other files are small. */
export function isWeightsName(name: string): boolean {
  return weightsForms.some(({ shardSuffix }) => isShardName(name, shardSuffix));
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
