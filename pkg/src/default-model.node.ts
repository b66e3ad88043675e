import { bundledFile } from "./assets.node.js";
import { type EmbeddedModelUrls, lazyModel, registerModel } from "./model/embedded-models.js";

/** Literals, so that bundlers include the files. */
function urls(): EmbeddedModelUrls {
  return {
    "config.json": new URL("./assets/default/config.json", import.meta.url),
    "tokenizer.json": new URL("./assets/default/tokenizer.json", import.meta.url),
    "tokenizer_config.json": new URL("./assets/default/tokenizer_config.json", import.meta.url),
    "config_sentence_transformers.json": new URL("./assets/default/config_sentence_transformers.json", import.meta.url),
    "model.safetensors": new URL("./assets/default/model.safetensors", import.meta.url),
  };
}

/** The embedded default model in Node, Deno and Bun, as URLs of files in this package. */
const defaultModel = lazyModel((name) => bundledFile(`default/${name}`, () => urls()[name]));

registerModel("default", defaultModel);

export default defaultModel;
