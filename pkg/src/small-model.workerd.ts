import config from "./assets/small/config.json";
import sentenceTransformers from "./assets/small/config_sentence_transformers.json";
import weights from "./assets/small/model.safetensors";
import tokenizer from "./assets/small/tokenizer.json";
import tokenizerConfig from "./assets/small/tokenizer_config.json";
import { registerModel } from "./model/embedded-models.js";
import type { ModelFileSet } from "./types.js";
import { moduleBytes } from "./util/module-bytes.js";

/** The embedded small model, with its files imported: as "Data" modules, or the JSON as objects. */
const smallModel: ModelFileSet = {
  "config.json": moduleBytes(config),
  "tokenizer.json": moduleBytes(tokenizer),
  "tokenizer_config.json": moduleBytes(tokenizerConfig),
  "config_sentence_transformers.json": moduleBytes(sentenceTransformers),
  "model.safetensors": weights,
};

registerModel("small", smallModel);

export default smallModel;
