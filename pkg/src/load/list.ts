import {
  isPlainName,
  isShardName,
  type ModelFile,
  type ModelFiles,
  maxIndexBytes,
  maxModules,
  maxModulesBytes,
  maxShards,
  moduleLayout,
  type WeightsForm,
} from "../model/model-files.js";
import { isObject } from "../util/check.js";

/** Alternative files, of which the first that exists is read. If the last is required, one of them must exist. */
export type FileChoice = readonly ModelFile[];

/**
 * Lists the weights files that an index names. Returns none for an index that is malformed, too large, or names files outside
 * its folder: the engine reads it too, and reports what is wrong.
 */
export async function listShards({ name: listedIn, shardSuffix }: WeightsForm, content: Blob): Promise<readonly ModelFile[]> {
  const index = content.size > maxIndexBytes ? undefined : await parseSmallJson(content);
  const map = isObject(index) ? index["weight_map"] : undefined;
  const names = [...new Set(isObject(map) ? Object.values(map) : [])];
  const isShard = (name: unknown): name is string => typeof name === "string" && isShardName(name, shardSuffix);
  if (names.length > maxShards || !names.every(isShard)) return [];
  return names.map((name) => ({ name, required: true, code: "weights", listedIn }));
}

/**
 * Lists the files of a model's sentence-transformers modules. Returns none for a malformed list: the engine reads it too,
 * and reports what is wrong.
 * @param files the files with fixed names
 */
export async function listModuleFiles(files: ModelFiles): Promise<readonly FileChoice[]> {
  const { list, readIf } = moduleLayout;
  const content = files.get(list);
  if (content === undefined || content.size > maxModulesBytes) return [];
  const config = await parseSmallJson(files.get(readIf.file));
  if (!isObject(config) || config[readIf.field] !== readIf.value) return [];
  const entries = await parseSmallJson(content);
  if (!Array.isArray(entries) || entries.length > maxModules) return [];
  // By folder, because two modules may share one.
  const choices = new Map<string, readonly FileChoice[]>();
  for (const entry of entries as readonly unknown[]) {
    const { type, path } = isObject(entry) ? entry : {};
    const kind = moduleLayout.kinds.find(({ name }) => typeof type === "string" && type.split(".").at(-1) === name);
    if (kind === undefined) continue;
    if (typeof path !== "string" || !isPlainName(path)) return [];
    choices.set(path, moduleFiles(path, kind));
  }
  return [...choices.values()].flat();
}

function moduleFiles(folder: string, kind: (typeof moduleLayout.kinds)[number]): readonly FileChoice[] {
  const listedIn = moduleLayout.list;
  const config: FileChoice = [{ name: `${folder}/${moduleLayout.config}`, required: kind.config === "required", code: "config", listedIn }];
  if (kind.weights === "none") return [config];
  const last = moduleLayout.weights.length - 1;
  const weights = moduleLayout.weights.map(
    (name, at): ModelFile => ({ name: `${folder}/${name}`, required: at === last, code: "weights", listedIn }),
  );
  return [config, weights];
}

/** Parses a small JSON file. Returns `undefined` if it does not exist or is malformed. */
export async function parseSmallJson(content: Blob | undefined): Promise<unknown> {
  try {
    return content === undefined ? undefined : (JSON.parse(await content.text()) as unknown);
  } catch {
    return undefined;
  }
}
