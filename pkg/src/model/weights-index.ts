import { RankletError, messageOf } from "../errors.js";
import { isObject } from "../util/check.js";
import type { FilesPlace, ModelFile } from "./model-files.js";

/** The files by which weights are found, in the order in which transformers prefers them. */
export const weightsForms: readonly ModelFile[] = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
].map((name) => ({ name, needed: false, code: "weights" }));

/** What is said where there is none, and why the first of them is not there. */
export function noWeights(why: string): string {
  const [first, ...others] = weightsForms.map(({ name }) => name);
  return `${first} is missing: ${why}; nor is there any of ${others.join(", ")}`;
}

/** An index of more bytes, or of more files, is none. The engine has the same bounds. */
const mostIndexBytes = 4 << 20;
const mostFiles = 256;

/**
 * Reads the weights in the first form that is there, with the files that an index names.
 * @returns names and bytes; nothing where there are no weights
 * @throws RankletError `weights` for an index that is malformed or leads elsewhere, and what `place` throws
 */
export async function readWeights(place: FilesPlace): Promise<readonly (readonly [string, Blob])[]> {
  for (const form of weightsForms) {
    const bytes = await place.open(form);
    if (bytes === undefined) continue;
    if (!form.name.endsWith(".json")) {
      place.onFound([]);
      return [[form.name, await bytes()]];
    }
    const index = await bytes();
    const names = await filesOf(form.name, index);
    place.onFound(names);
    const read = async (name: string): Promise<readonly [string, Blob][]> => {
      const file = await place.open({ name, needed: true, code: "weights" });
      return file === undefined ? [] : [[name, await file()]];
    };
    return [[form.name, index], ...(await Promise.all(names.map(read))).flat()];
  }
  return [];
}

/** Whether `name` can be one of several files of weights: no path, and nothing that a URL or a file system reads otherwise. */
export function isWeightsName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}$/.test(name) && /\.(safetensors|bin)$/.test(name) && !name.includes("..");
}

/** The names of the files that an index names. */
async function filesOf(index: string, content: Blob): Promise<readonly string[]> {
  if (content.size > mostIndexBytes) throw new RankletError("weights", `${index} has ${content.size} bytes, more than ${mostIndexBytes}`);
  const map = parse(index, await content.text());
  const names = [...new Set(Object.values(map))];
  const ending = index.slice(index.indexOf("."), -".index.json".length);
  for (const name of names) {
    if (typeof name === "string" && isWeightsName(name) && name.endsWith(ending)) continue;
    throw new RankletError("weights", `${index}: ${JSON.stringify(name)} is not the name of a ${ending} file beside it`);
  }
  if (names.length > mostFiles) throw new RankletError("weights", `${index} names ${names.length} files, more than ${mostFiles}`);
  return names as string[];
}

function parse(index: string, text: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new RankletError("weights", `${index}: ${messageOf(error)}`, { cause: error });
  }
  const map = isObject(json) ? json["weight_map"] : undefined;
  if (isObject(map)) return map;
  throw new RankletError("weights", `${index} has no weight_map that says which file holds which tensor`);
}
