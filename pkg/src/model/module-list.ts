import { isObject } from "../util/check.js";
import type { FilesPlace, ModelFile } from "./model-files.js";

/**
 * Modules behind the encoder that have files which the engine reads, those of them that have weights, and those that
 * need no configuration. It refuses others by name.
 */
const readModule = /(^|\.)(Pooling|Dense|LayerNorm|Normalize)$/;
const withWeights = /(^|\.)(Dense|LayerNorm)$/;
const optionalConfig = /(^|\.)Normalize$/;

/** The forms of a module's weights, in the order in which they are looked for. */
const weightsNames = ["model.safetensors", "pytorch_model.bin"];

/** A list of more modules or bytes is none. The engine has the first bound too. */
const mostModules = 64;
const mostBytes = 65_536;

/** A folder beside `modules.json`: no path, and nothing that a URL or a file system reads otherwise. The engine reads no others either. */
const folderName = /^[A-Za-z0-9_-][\w.-]{0,95}$/;

/** Whether `name` is one of a file that a module can have. */
export function isModuleFile(name: string): boolean {
  const [folder = "", file = "", ...deeper] = name.split("/");
  return folderName.test(folder) && ["config.json", ...weightsNames].includes(file) && deeper.length === 0;
}

/**
 * Reads the files of the modules that `modules.json` lists. Of a list that is malformed none are read: the engine, which
 * reads it too, says what is wrong with it.
 * @param list `modules.json`, where there is one
 * @throws what `place` throws
 */
export async function readModules(list: Blob | undefined, place: FilesPlace): Promise<readonly (readonly [string, Blob])[]> {
  const modules = list === undefined || list.size > mostBytes ? [] : modulesOf(await list.text());
  const opened = (await Promise.all(modules.map((module) => open(module, place)))).flat();
  place.onFound(opened.map(({ name }) => name));
  return Promise.all(opened.map(async ({ name, bytes }) => [name, await bytes()] as const));
}

interface Module {
  readonly folder: string;
  readonly hasWeights: boolean;
  readonly needsConfig: boolean;
}

interface Opened {
  readonly name: string;
  readonly bytes: () => Promise<Blob>;
}

async function open({ folder, hasWeights, needsConfig }: Module, place: FilesPlace): Promise<readonly Opened[]> {
  const found = await firstOf([{ name: `${folder}/config.json`, needed: needsConfig, code: "config" }], place);
  const last = weightsNames.length - 1;
  const forms = weightsNames.map((name, at): ModelFile => ({ name: `${folder}/${name}`, needed: at === last, code: "weights" }));
  return hasWeights ? [...found, ...(await firstOf(forms, place))] : found;
}

async function firstOf(files: readonly ModelFile[], place: FilesPlace): Promise<readonly Opened[]> {
  for (const file of files) {
    const bytes = await place.open(file);
    if (bytes !== undefined) return [{ name: file.name, bytes }];
  }
  return [];
}

/** The modules that have files, each folder once; none where one of the folders is not beside the list. */
function modulesOf(text: string): readonly Module[] {
  const entries = parse(text);
  if (entries.length > mostModules) return [];
  const modules = new Map<string, Module>();
  for (const entry of entries) {
    const { type, path } = isObject(entry) ? entry : {};
    if (typeof type !== "string" || !readModule.test(type)) continue;
    if (typeof path !== "string" || !folderName.test(path)) return [];
    modules.set(path, { folder: path, hasWeights: withWeights.test(type), needsConfig: !optionalConfig.test(type) });
  }
  return [...modules.values()];
}

function parse(text: string): readonly unknown[] {
  try {
    const json: unknown = JSON.parse(text);
    return Array.isArray(json) ? json : [];
  } catch {
    return [];
  }
}
