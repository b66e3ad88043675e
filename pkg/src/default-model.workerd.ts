import config from "./assets/default/config.json";
import sentenceTransformers from "./assets/default/config_sentence_transformers.json";
import weights from "./assets/default/model.safetensors";
import tokenizer from "./assets/default/tokenizer.json";
import tokenizerConfig from "./assets/default/tokenizer_config.json";
import { registerDefaultModel } from "./model/default-model.js";
import type { ModelFileSet } from "./types.js";
import { typeTag } from "./util/type-tag.js";

/** The embedded default model, with its files imported: as "Data" modules, or the JSON as objects. */
const defaultModel: ModelFileSet = {
  "config.json": bytes(config),
  "tokenizer.json": bytes(tokenizer),
  "tokenizer_config.json": bytes(tokenizerConfig),
  "config_sentence_transformers.json": bytes(sentenceTransformers),
  "model.safetensors": weights,
};

registerDefaultModel(defaultModel);

export default defaultModel;

function bytes(json: ArrayBuffer | object): ArrayBuffer | Uint8Array {
  return typeTag(json) === "ArrayBuffer" ? (json as ArrayBuffer) : new TextEncoder().encode(JSON.stringify(json));
}
