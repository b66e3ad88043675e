import type { ErrorCode } from "../errors.js";

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
  /** The file that lists this one, if its name is not fixed. */
  readonly listedIn?: string;
}

/** Every model has this file, and it is small, so it is opened first. */
export const configFile: ModelFile = { name: "config.json", required: true, code: "config" };

/** Lists the modules that follow the encoder; each has a folder of its own. */
export const modulesFile: ModelFile = { name: "modules.json", required: false, code: "config" };

/** All files with fixed names except weights, in the order in which a missing one is reported. */
export const fixedFiles: readonly ModelFile[] = [
  configFile,
  { name: "tokenizer.json", required: true, code: "tokenizer" },
  { name: "tokenizer_config.json", required: false, code: "tokenizer" },
  { name: "special_tokens_map.json", required: false, code: "tokenizer" },
  { name: "added_tokens.json", required: false, code: "tokenizer" },
  { name: "config_sentence_transformers.json", required: false, code: "config" },
  { name: "sentence_bert_config.json", required: false, code: "config" },
  modulesFile,
];

/** The forms of a model's weights, in the order in which transformers prefers them. The first that exists is read. */
export const weightForms: readonly ModelFile[] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
].map((name) => ({ name, required: false, code: "weights" }));

/** Returns the message for a model without weights. `why` says where the first form was looked for. */
export function missingWeightsMessage(why: string): string {
  const [first, ...others] = weightForms.map(({ name }) => name);
  return `${first} is missing: ${why}; nor is there any of ${others.join(", ")}`;
}

/** The forms of a module's weights, in order of preference. */
export const moduleWeightForms: readonly string[] = ["model.safetensors", "pytorch_model.bin"];

/** Upper bounds on the files that list others. The engine has the same. */
export const maxIndexBytes = 4 << 20;
export const maxShards = 256;
export const maxModulesBytes = 65_536;
export const maxModules = 64;

/** Kinds of modules whose files are read: all of them, those that have weights, those whose configuration is optional. */
export const moduleKinds = /(^|\.)(Pooling|Dense|LayerNorm|Normalize)$/;
export const moduleKindsWithWeights = /(^|\.)(Dense|LayerNorm)$/;
export const moduleKindsWithOptionalConfig = /(^|\.)Normalize$/;

const fixedNames: ReadonlySet<string> = new Set([...fixedFiles, ...weightForms].map(({ name }) => name));

/** Whether a model can have a file of this name: one with a fixed name, a shard of weights, or a module's. */
export function isModelFileName(name: string): boolean {
  return fixedNames.has(name) || isShardName(name) || isModuleFileName(name);
}

/** Whether `name` can be one of several weights files: a plain name that URLs and file systems do not read as a path. */
export function isShardName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}$/.test(name) && /\.(safetensors|bin)$/.test(name) && !name.includes("..");
}

/** Whether `name` can be a module's folder next to `modules.json`: a plain name that is not read as a path. */
export function isModuleFolder(name: string): boolean {
  return /^[A-Za-z0-9_-][\w.-]{0,95}$/.test(name);
}

function isModuleFileName(name: string): boolean {
  const [folder = "", file = "", ...deeper] = name.split("/");
  return isModuleFolder(folder) && ["config.json", ...moduleWeightForms].includes(file) && deeper.length === 0;
}
