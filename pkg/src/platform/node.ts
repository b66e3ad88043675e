import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { setImmediate } from "node:timers";
import { pathToFileURL } from "node:url";

import defaultModel from "../default-model.js";
import type { Platform } from "./platform.js";

/** Node, Deno and Bun: the package's files lie on the disk. */
export const node: Platform = {
  wasm: () => readFile(new URL("../wasm/ranklet_bg.wasm", import.meta.url)),
  defaultModel: () => defaultModel,
  folder: (path) => pathToFileURL(`${resolve(path)}/`),
  readFile: async (url, signal) => {
    try {
      return await readFile(url, { signal });
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  },
  nextTask: () => new Promise((done) => void setImmediate(done)),
};
