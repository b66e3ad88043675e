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

/** The others that are read, but for the weights, in the order in which a missing one is reported. */
export const otherFiles: readonly ModelFile[] = [
  { name: "tokenizer.json", needed: true, code: "tokenizer" },
  { name: "tokenizer_config.json", needed: false, code: "tokenizer" },
  { name: "config_sentence_transformers.json", needed: false, code: "config" },
  { name: "sentence_bert_config.json", needed: false, code: "config" },
  { name: "modules.json", needed: false, code: "config" },
];

/** All files that are read, but for the weights. */
export const modelFiles: readonly ModelFile[] = [configFile, ...otherFiles];

/** Waits for files and the weights; files that turn out not to be there are left out. */
export async function gather(
  files: readonly Promise<readonly [string, Blob | undefined]>[],
  weights: Promise<readonly (readonly [string, Blob])[]>,
): Promise<Files> {
  const [read, held] = await Promise.all([Promise.all(files), weights]);
  return new Map([...read.filter((entry): entry is readonly [string, Blob] => entry[1] !== undefined), ...held]);
}
