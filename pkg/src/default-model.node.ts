import { bundledFile } from "./assets.node.js";
import { registerDefaultModel } from "./model/default-model.js";
import type { ModelFileSet } from "./types.js";

/** The embedded default model in Node, Deno and Bun. The paths are literals so that bundlers include the files. */
const defaultModel: ModelFileSet = {
  get "config.json"() {
    return bundledFile("default/config.json", () => {
      return new URL("./assets/default/config.json", import.meta.url);
    });
  },
  get "tokenizer.json"() {
    return bundledFile("default/tokenizer.json", () => {
      return new URL("./assets/default/tokenizer.json", import.meta.url);
    });
  },
  get "tokenizer_config.json"() {
    return bundledFile("default/tokenizer_config.json", () => {
      return new URL("./assets/default/tokenizer_config.json", import.meta.url);
    });
  },
  get "config_sentence_transformers.json"() {
    return bundledFile("default/config_sentence_transformers.json", () => {
      return new URL("./assets/default/config_sentence_transformers.json", import.meta.url);
    });
  },
  get "model.safetensors"() {
    return bundledFile("default/model.safetensors", () => {
      return new URL("./assets/default/model.safetensors", import.meta.url);
    });
  },
};

registerDefaultModel(defaultModel);

export default defaultModel;
