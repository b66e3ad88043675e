import config from "./assets/default/config.json";
import sentenceTransformers from "./assets/default/config_sentence_transformers.json";
import weights from "./assets/default/model.safetensors";
import tokenizer from "./assets/default/tokenizer.json";
import tokenizerConfig from "./assets/default/tokenizer_config.json";
import { registerModel } from "./model/embedded-models.js";
import type { ModelFileSet } from "./types.js";
import { moduleBytes } from "./util/module-bytes.js";

/** The embedded default model, with its files imported: as "Data" modules, or the JSON as objects. */
const defaultModel: ModelFileSet = {
  "config.json": moduleBytes(config),
  "tokenizer.json": moduleBytes(tokenizer),
  "tokenizer_config.json": moduleBytes(tokenizerConfig),
  "config_sentence_transformers.json": moduleBytes(sentenceTransformers),
  "model.safetensors": weights,
};

registerModel("default", defaultModel);

export default defaultModel;
