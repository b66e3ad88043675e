import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

import type { Store } from "./store.js";

/**
 * Creates a store in the file system, with one folder per model, named by a hash of its URL.
 * @param folder default: `RANKLET_CACHE`, or "ranklet" in the user's folder for caches
 * @returns `undefined` if there is no such folder, as for a user without a home
 */
export function nodeStore(folder: string | undefined, model: string): Store | undefined {
  const root = folder === undefined ? usualFolder() : resolve(folder);
  if (root === undefined) return undefined;
  const home = join(root, createHash("sha256").update(model).digest("hex").slice(0, 32));
  return {
    get: (name) => present(async () => new Blob([await readFile(join(home, name))])),
    put: (name, content) => putWhole(join(home, name), content),
    list: async () => (await present(() => readdir(home))) ?? [],
    remove: (name) => rm(join(home, name), { recursive: true, force: true }),
  };
}

/** Writes a temporary file and renames it, so that the file is never incomplete. */
async function putWhole(path: string, content: Blob): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await writeFile(draft, new Uint8Array(await content.arrayBuffer()));
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function usualFolder(): string | undefined {
  const { RANKLET_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (RANKLET_CACHE) return resolve(RANKLET_CACHE);
  try {
    if (process.platform === "win32") return join(LOCALAPPDATA || join(homedir(), "AppData", "Local"), "ranklet");
    if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "ranklet");
    return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "ranklet");
  } catch {
    return undefined; // homedir() throws if the user has none.
  }
}

async function present<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
