import { modelFileUrl } from "./assets.js";
import { type EmbeddedModelUrls, lazyModel, registerModel } from "./model/embedded-models.js";

/** Literals, so that bundlers include the files. */
const urls = (): EmbeddedModelUrls => ({
  "config.json": new URL("./assets/default/config.json", import.meta.url),
  "tokenizer.json": new URL("./assets/default/tokenizer.json", import.meta.url),
  "tokenizer_config.json": new URL("./assets/default/tokenizer_config.json", import.meta.url),
  "config_sentence_transformers.json": new URL("./assets/default/config_sentence_transformers.json", import.meta.url),
  "model.safetensors": new URL("./assets/default/model.safetensors", import.meta.url),
});

/** The embedded default model, as URLs of files in this package. */
const defaultModel = lazyModel((name) => modelFileUrl(() => urls()[name], "default", name));

registerModel("default", defaultModel);

export default defaultModel;
