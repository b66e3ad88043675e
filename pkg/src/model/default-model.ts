import type { ModelFileSet } from "../types.js";

/** The names of the default model's files. */
export const defaultModelNames = ["config.json", "tokenizer.json", "tokenizer_config.json", "config_sentence_transformers.json", "model.safetensors"] as const;

/** The URL of each file of the default model. */
export type DefaultModelUrls = Readonly<Record<(typeof defaultModelNames)[number], URL>>;

let registered: ModelFileSet | undefined;

/** Registers the model that `load` without a model loads. The entry point `ranklet/default-model` calls it when it is imported. */
export function registerDefaultModel(files: ModelFileSet): void {
  registered = files;
}

/** Returns the model of `ranklet/default-model`, if the application has imported it. */
export function registeredDefaultModel(): ModelFileSet | undefined {
  return registered;
}

/** Returns the default model with URLs that are computed when they are read. */
export function lazyDefaultModel(urlOf: (name: keyof DefaultModelUrls) => URL): ModelFileSet {
  const files = {};
  for (const name of defaultModelNames) Object.defineProperty(files, name, { enumerable: true, get: () => urlOf(name) });
  return files;
}
