import { modelFileUrl } from "./assets.js";
import { type EmbeddedModelUrls, lazyModel, registerModel } from "./model/embedded-models.js";

/** Literals, so that bundlers include the files. */
const urls = (): EmbeddedModelUrls => ({
  "config.json": new URL("./assets/small/config.json", import.meta.url),
  "tokenizer.json": new URL("./assets/small/tokenizer.json", import.meta.url),
  "tokenizer_config.json": new URL("./assets/small/tokenizer_config.json", import.meta.url),
  "config_sentence_transformers.json": new URL("./assets/small/config_sentence_transformers.json", import.meta.url),
  "model.safetensors": new URL("./assets/small/model.safetensors", import.meta.url),
});

/** The embedded small model, as URLs of files in this package. */
const smallModel = lazyModel((name) => modelFileUrl(() => urls()[name], "small", name));

registerModel("small", smallModel);

export default smallModel;
