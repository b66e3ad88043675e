import { createHash } from "node:crypto";
import { appendFile, mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { isObject } from "../util/check.js";
import { environmentVariable } from "./node-environment.js";
import { readShared } from "./node-folder.js";
import { withFileLock } from "./node-lock.js";
import type { ModelStores, Store } from "./store.js";

/**
 * Creates stores in the file system, with one folder per model, named by a hash of its URL. The time of the last use is that
 * of the folder.
 * @param folder root of all models; default: the environment variable `RANKLET_CACHE`, or "ranklet" in `HF_HOME` or in the
 *   user's folder for caches
 * @returns `undefined` if there is no such folder, as for a user without a home
 */
export function nodeStores(folder: string | undefined): ModelStores | undefined {
  const root = folder === undefined ? defaultFolder() : resolve(folder);
  if (root === undefined) return undefined;
  return {
    open: (model) => storeIn(join(root, createHash("sha256").update(model).digest("hex").slice(0, 32))),
    all: async () => {
      const names = (await ifExists(() => readdir(root))) ?? [];
      return names.filter((name) => /^[0-9a-f]{32}$/.test(name)).map((name) => storeIn(join(root, name)));
    },
  };
}

function storeIn(folder: string): Store {
  return {
    get: (name) => ifExists(() => readShared(join(folder, name))),
    size: (name) => ifExists(async () => (await stat(join(folder, name))).size),
    put: (name, content) => writeAtomically(join(folder, name), content),
    append: (name, _start, bytes) => append(join(folder, name), bytes),
    list: async () => (await ifExists(() => readdir(folder))) ?? [],
    remove: (name = "") => rm(join(folder, name), { recursive: true, force: true }),
    markUsed: () => utimes(folder, new Date(), new Date()),
    lastUsed: async () => (await ifExists(() => stat(folder)))?.mtimeMs ?? 0,
    lock: (task, signal) => withFileLock(`${folder}.lock`, task, signal),
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

async function append(path: string, bytes: Blob): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendFile(path, new Uint8Array(await bytes.arrayBuffer()));
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
    if (isObject(error) && error["code"] === "ENOENT") return undefined;
    throw error;
  }
}
