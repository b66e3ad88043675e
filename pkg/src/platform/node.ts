import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers";

import { bestEngineUrl } from "../assets.js";
import defaultModel from "../default-model.js";
import { hubEnvironment } from "./node-environment.js";
import { hasPath, listFolder } from "./node-folder.js";
import { folderUrl, isWindowsPath, type PathRules } from "./node-paths.js";
import { ifExists, nodeStores, noStoreReason } from "./node-store.js";
import { startWorker } from "./node-worker.js";
import type { Platform } from "./platform.js";

const pathRules = (): PathRules => ({ windows: process.platform === "win32" });

/** Node, Deno and Bun. The package's files are on disk. */
export const node: Platform = {
  engineModule: async () => WebAssembly.compile(await readFile(bestEngineUrl())),
  startWorker,
  hasGpu: () => false,
  cpuCount: availableParallelism,
  defaultModel: () => defaultModel,
  hubEnvironment,
  isNativePath: (text) => isWindowsPath(text, pathRules()),
  folderUrl: (path) => folderUrl(path, pathRules()),
  readFile: (url, signal) => ifExists(async () => new Blob([await readFile(url, { signal })])),
  listFolder,
  hasPath,
  pageUrl: () => undefined,
  stores: nodeStores,
  noStore: noStoreReason(),
  hasCors: false,
  newSha256: () => createHash("sha256"),
  nextTask: () => new Promise((done) => void setImmediate(done)),
};
