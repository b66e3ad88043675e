import type { ModelFileSet } from "./types.js";

/** The embedded default model, as URLs of the files that this package ships. Bundlers see them and carry them along. */
const defaultModel: ModelFileSet = {
  "config.json": new URL("./default/config.json", import.meta.url),
  "tokenizer.json": new URL("./default/tokenizer.json", import.meta.url),
  "tokenizer_config.json": new URL("./default/tokenizer_config.json", import.meta.url),
  "config_sentence_transformers.json": new URL("./default/config_sentence_transformers.json", import.meta.url),
  "model.safetensors": new URL("./default/model.safetensors", import.meta.url),
};

export default defaultModel;
