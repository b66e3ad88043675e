import { assetUrl } from "./assets.js";
import { registerDefaultModel } from "./model/default-model.js";
import type { ModelFileSet } from "./types.js";

/** The embedded default model, as URLs of files in this package. They are literals so that bundlers include the files. */
const defaultModel: ModelFileSet = {
  get "config.json"() {
    return assetUrl(() => new URL("./assets/default/config.json", import.meta.url), "default/config.json");
  },
  get "tokenizer.json"() {
    return assetUrl(() => new URL("./assets/default/tokenizer.json", import.meta.url), "default/tokenizer.json");
  },
  get "tokenizer_config.json"() {
    return assetUrl(() => new URL("./assets/default/tokenizer_config.json", import.meta.url), "default/tokenizer_config.json");
  },
  get "config_sentence_transformers.json"() {
    return assetUrl(() => new URL("./assets/default/config_sentence_transformers.json", import.meta.url), "default/config_sentence_transformers.json");
  },
  get "model.safetensors"() {
    return assetUrl(() => new URL("./assets/default/model.safetensors", import.meta.url), "default/model.safetensors");
  },
};

registerDefaultModel(defaultModel);

export default defaultModel;
