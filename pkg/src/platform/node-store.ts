import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { environmentVariable } from "./node-environment.js";
import type { Store } from "./store.js";

/**
 * Creates a store in the file system, with one folder per model, named by a hash of its URL.
 * @param folder root of all models; default: the environment variable `RANKLET_CACHE`, or "ranklet" in `HF_HOME` or in the
 *   user's folder for caches
 * @returns `undefined` if there is no such folder, as for a user without a home
 */
export function nodeStore(folder: string | undefined, model: string): Store | undefined {
  const root = folder === undefined ? defaultFolder() : resolve(folder);
  if (root === undefined) return undefined;
  const modelFolder = join(root, createHash("sha256").update(model).digest("hex").slice(0, 32));
  return {
    get: (name) => ifExists(async () => new Blob([await readFile(join(modelFolder, name))])),
    put: (name, content) => writeAtomically(join(modelFolder, name), content),
    list: async () => (await ifExists(() => readdir(modelFolder))) ?? [],
    remove: (name) => rm(join(modelFolder, name), { recursive: true, force: true }),
  };
}

/** Why there is no folder for caches, and what to do. */
export function noStoreReason(): string {
  const name = "name a folder in the option cache, or in the environment variable RANKLET_CACHE";
  if (!("Deno" in globalThis)) return `the user has no home folder: ${name}`;
  return `Deno does not permit to find the user's folder for caches: run with --allow-env, --allow-sys=homedir, --allow-read and --allow-write, or ${name}`;
}

/** Writes a temporary file and renames it, so that the file is never incomplete. */
async function writeAtomically(path: string, content: Blob): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await writeFile(temporary, new Uint8Array(await content.arrayBuffer()));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function defaultFolder(): string | undefined {
  const folder = environmentVariable("RANKLET_CACHE");
  if (folder !== undefined) return resolve(folder);
  const huggingFace = environmentVariable("HF_HOME");
  if (huggingFace !== undefined) return resolve(huggingFace, "ranklet");
  try {
    if (process.platform === "win32") return join(environmentVariable("LOCALAPPDATA") ?? join(homedir(), "AppData", "Local"), "ranklet");
    if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "ranklet");
    return join(environmentVariable("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "ranklet");
  } catch {
    return undefined; // homedir() throws if the user has none, and in Deno without the permission.
  }
}

/** Returns what `read` reads, or `undefined` if the file does not exist. */
export async function ifExists<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
