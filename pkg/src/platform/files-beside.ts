import type { ModelFileSet } from "../types.js";

const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "config_sentence_transformers.json", "model.safetensors"];

/** Returns the files of the default model in the folder `default` beside the engine, where the package has them. */
export function filesBeside(engine: URL): ModelFileSet {
  return Object.fromEntries(names.map((name) => [name, new URL(`default/${name}`, engine)]));
}
