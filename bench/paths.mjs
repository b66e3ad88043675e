import { fileURLToPath } from "node:url";

/** A path in the repository. */
export function inRepository(path) {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** A path in the folder for what the bench makes: models, the Python environment, reports. */
export function inOutput(path) {
  return inRepository(`.build/bench/${path}`);
}
