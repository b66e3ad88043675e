import { readdirSync, statSync } from "node:fs";
import { join, sep } from "node:path";

/**
 * Lists all files below a folder.
 * @returns {{ name: string, path: string, bytes: number }[]} `name` opens the file, `path` is relative to the folder
 */
export function filesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map((path) => ({ name: join(folder, path), path: path.split(sep).join("/") }))
    .filter(({ name }) => statSync(name).isFile())
    .map((file) => ({ ...file, bytes: statSync(file.name).size }));
}
