// Locations that do not list their files, such as a folder on a plain server. Browsers report each request for a file that does
// not exist as an error, so hardly any is made.
import { type ModelFile, maxListedFiles } from "../model/model-files.js";
import { isObject } from "../util/check.js";
import { parseSmallJson } from "./list.js";

/** Returns the files that a model has, if its `config.json` lists them: `"ranklet": { "files": [...] }`. */
export async function filesInConfig(config: Blob): Promise<ReadonlySet<string> | undefined> {
  const json = await parseSmallJson(config);
  const ranklet = isObject(json) ? json["ranklet"] : undefined;
  const names: unknown = isObject(ranklet) ? ranklet["files"] : undefined;
  return Array.isArray(names) && names.length <= maxListedFiles && names.every((name) => typeof name === "string")
    ? new Set(names)
    : undefined;
}

/**
 * Whether a file can matter to a model, as far as its other files tell.
 * @param contentOf returns the content of another file, if it exists
 */
export async function mayMatter({ unlisted }: ModelFile, contentOf: (name: string) => Promise<Blob | undefined>): Promise<boolean> {
  if (unlisted === undefined || unlisted === false) return unlisted === undefined;
  const content = await contentOf(unlisted.file);
  if (unlisted.without === undefined) return content !== undefined;
  const json = await parseSmallJson(content);
  return !(isObject(json) && unlisted.without.some((field) => Object.hasOwn(json, field)));
}
