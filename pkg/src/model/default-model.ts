import type { ModelFileSet } from "../types.js";

let registered: ModelFileSet | undefined;

/** Registers the model that `load` without a model loads. The entry point `ranklet/default-model` calls it when it is imported. */
export function registerDefaultModel(files: ModelFileSet): void {
  registered = files;
}

/** Returns the model of `ranklet/default-model`, if the application has imported it. */
export function registeredDefaultModel(): ModelFileSet | undefined {
  return registered;
}
