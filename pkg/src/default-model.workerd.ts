import config from "./assets/default/config.json";
import sentenceTransformers from "./assets/default/config_sentence_transformers.json";
import weights from "./assets/default/model.safetensors";
import tokenizer from "./assets/default/tokenizer.json";
import tokenizerConfig from "./assets/default/tokenizer_config.json";
import type { ModelFileSet } from "./types.js";

/** The embedded default model, with its files imported as "Data" modules. */
const defaultModel: ModelFileSet = {
  "config.json": config,
  "tokenizer.json": tokenizer,
  "tokenizer_config.json": tokenizerConfig,
  "config_sentence_transformers.json": sentenceTransformers,
  "model.safetensors": weights,
};

export default defaultModel;
