import { fileURLToPath } from "node:url";

/** The repository's root, as a directory URL. */
export const root = new URL("../../../", import.meta.url);
/** The built package, as a directory URL. */
export const dist = new URL("pkg/dist/", root);

/** Returns the absolute path of a path in the repository. */
export function inRepository(path) {
  return fileURLToPath(new URL(path, root));
}
