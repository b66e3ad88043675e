import { assetUrl } from "./assets.js";
import { RankletError } from "./errors.js";
import { type DefaultModelUrls, lazyDefaultModel, registerDefaultModel } from "./model/default-model.js";

/** Literals, so that bundlers include the files. */
const urls = (): DefaultModelUrls => ({
  "config.json": new URL("./assets/default/config.json", import.meta.url),
  "tokenizer.json": new URL("./assets/default/tokenizer.json", import.meta.url),
  "tokenizer_config.json": new URL("./assets/default/tokenizer_config.json", import.meta.url),
  "config_sentence_transformers.json": new URL("./assets/default/config_sentence_transformers.json", import.meta.url),
  "model.safetensors": new URL("./assets/default/model.safetensors", import.meta.url),
});

/** The embedded default model, as URLs of files in this package. */
const defaultModel = lazyDefaultModel((name) => {
  const url = assetUrl(() => urls()[name], `default/${name}`);
  if (!url.pathname.endsWith(".js")) return url;
  throw new RankletError(
    "unsupported",
    `load: the bundler made JavaScript of ${name}; with Parcel, write { "extends": "@parcel/config-default", "transformers": { "node_modules/ranklet/dist/assets/default/*.json": ["@parcel/transformer-raw"] } } into .parcelrc`,
  );
});

registerDefaultModel(defaultModel);

export default defaultModel;
