import { RankletError, messageOf } from "../errors.js";
import {
  isModuleFolder,
  isShardName,
  maxIndexBytes,
  maxModules,
  maxModulesBytes,
  maxShards,
  moduleKinds,
  moduleKindsWithOptionalConfig,
  moduleKindsWithWeights,
  moduleWeightForms,
  modulesFile,
  type ModelFile,
} from "../model/model-files.js";
import { isObject } from "../util/check.js";

/** Alternative files, of which the first that exists is read. If the last is required, one of them must exist. */
export type FileChoice = readonly ModelFile[];

/**
 * Lists the weights files that an index names.
 * @param index the index's name
 * @throws RankletError `weights` for an index that is malformed, too large, or names files outside its folder
 */
export async function listShards(index: string, content: Blob): Promise<readonly ModelFile[]> {
  if (content.size > maxIndexBytes) throw new RankletError("weights", `${index} has ${content.size} bytes, more than ${maxIndexBytes}`);
  const names = new Set(Object.values(parseWeightMap(index, await content.text())));
  const extension = index.slice(index.indexOf("."), -".index.json".length);
  const shards = Array.from(names, (name): ModelFile => {
    if (typeof name === "string" && isShardName(name) && name.endsWith(extension)) return { name, required: true, code: "weights", listedIn: index };
    throw new RankletError("weights", `${index}: ${JSON.stringify(name)} is not the name of a ${extension} file beside it`);
  });
  if (shards.length > maxShards) throw new RankletError("weights", `${index} names ${shards.length} files, more than ${maxShards}`);
  return shards;
}

/**
 * Lists the files of the modules in `modules.json`. Returns none for a malformed list: the engine reads it too, and
 * reports what is wrong.
 * @param content of `modules.json`, if the model has one
 */
export async function listModuleFiles(content: Blob | undefined): Promise<readonly FileChoice[]> {
  if (content === undefined || content.size > maxModulesBytes) return [];
  const entries = parseModules(await content.text());
  if (entries.length > maxModules) return [];
  // By folder, because two modules may share one.
  const choices = new Map<string, readonly FileChoice[]>();
  for (const entry of entries) {
    const { type, path } = isObject(entry) ? entry : {};
    if (typeof type !== "string" || !moduleKinds.test(type)) continue;
    if (typeof path !== "string" || !isModuleFolder(path)) return [];
    choices.set(path, moduleFiles(path, type));
  }
  return [...choices.values()].flat();
}

function moduleFiles(folder: string, kind: string): readonly FileChoice[] {
  const listedIn = modulesFile.name;
  const config: FileChoice = [{ name: `${folder}/config.json`, required: !moduleKindsWithOptionalConfig.test(kind), code: "config", listedIn }];
  if (!moduleKindsWithWeights.test(kind)) return [config];
  const last = moduleWeightForms.length - 1;
  const weights = moduleWeightForms.map((name, at): ModelFile => ({ name: `${folder}/${name}`, required: at === last, code: "weights", listedIn }));
  return [config, weights];
}

function parseWeightMap(index: string, text: string): Readonly<Record<string, unknown>> {
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

function parseModules(text: string): readonly unknown[] {
  try {
    const json: unknown = JSON.parse(text);
    return Array.isArray(json) ? json : [];
  } catch {
    return [];
  }
}
