import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { setImmediate } from "node:timers";
import { pathToFileURL } from "node:url";

import { bestEngineUrl } from "../assets.js";
import defaultModel from "../default-model.js";
import { nodeStore } from "./node-store.js";
import { startWorker } from "./node-worker.js";
import type { Platform } from "./platform.js";

/** Node, Deno and Bun. The package's files are on disk. */
export const node: Platform = {
  engineModule: async () => WebAssembly.compile(await readFile(bestEngineUrl())),
  startWorker,
  hasGpu: () => false,
  cpuCount: availableParallelism,
  defaultModel: () => defaultModel,
  folderUrl: (path) => pathToFileURL(`${resolve(path)}/`),
  readFile: async (url, signal) => {
    try {
      return new Blob([await readFile(url, { signal })]);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
  },
  pageUrl: () => undefined,
  store: nodeStore,
  nextTask: () => new Promise((done) => void setImmediate(done)),
};
