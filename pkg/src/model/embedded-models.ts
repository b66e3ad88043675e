import type { ModelFileSet } from "../types.js";

/** A model of the package, by the name of its folder in `assets`. The entry point `ranklet/{name}-model` registers it. */
export type EmbeddedModel = "default" | "small";

/** The names of an embedded model's files. */
const embeddedFileNames = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "config_sentence_transformers.json",
  "model.safetensors",
] as const;

/** The URL of each file of an embedded model. */
export type EmbeddedModelUrls = Readonly<Record<(typeof embeddedFileNames)[number], URL>>;

const registered = new Map<EmbeddedModel, ModelFileSet>();

/** Registers the files of an embedded model. Its entry point calls this when it is imported. */
export function registerModel(name: EmbeddedModel, files: ModelFileSet): void {
  registered.set(name, files);
}

/** Returns the files of an embedded model, if the application has imported its entry point. */
export function registeredModel(name: EmbeddedModel): ModelFileSet | undefined {
  return registered.get(name);
}

/** Returns the embedded model that `source`, the first argument of `load`, means: no model, a name, or registered files. */
export function embeddedModelOf(source: unknown): EmbeddedModel | undefined {
  if (source === undefined || source === "ranklet/default") return "default";
  if (source === "ranklet/small") return "small";
  for (const [name, files] of registered) if (source === files) return name;
  return undefined;
}

/** Returns the files of an embedded model with URLs that are computed when they are read. */
export function lazyModel(urlOf: (name: keyof EmbeddedModelUrls) => URL): ModelFileSet {
  const files = {};
  for (const name of embeddedFileNames) Object.defineProperty(files, name, { enumerable: true, get: () => urlOf(name) });
  return files;
}
