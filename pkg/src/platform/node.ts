import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers";

import { engineUrl, installedModel, relaxedEngineUrl } from "../assets.node.js";
import { hasRelaxedSimd } from "../engine/relaxed-simd.js";
import { hubEnvironment } from "./node-environment.js";
import { hasPath, listFolder, readBlob, readShared } from "./node-folder.js";
import { folderUrl, isWindowsPath, type PathRules } from "./node-paths.js";
import { ifExists, nodeStores, noStoreReason } from "./node-store.js";
import { startWorker } from "./node-worker.js";
import type { Platform } from "./platform.js";

const pathRules = (): PathRules => ({ windows: process.platform === "win32" });

/** Node, Deno and Bun. The package's files are on disk. */
export const node: Platform = {
  checkScope: () => {},
  engine: () => (hasRelaxedSimd() ? relaxedEngineUrl() : engineUrl()),
  engineNeeds: "it needs WebAssembly with SIMD: Node 20.19 or later",
  startWorker,
  hasGpu: () => false,
  cpuCount: availableParallelism,
  embeddedModel: installedModel,
  missingFileAdvice:
    'if this is a bundle, leave ranklet out of it (esbuild: --external:ranklet; Vite: ssr.external; Next.js: serverExternalPackages; SvelteKit: install it as a dependency, not as a devDependency), or copy node_modules/ranklet/dist/assets next to it, as "assets", or give load the option wasm and a model',
  hubEnvironment,
  isNativePath: (text) => isWindowsPath(text, pathRules()),
  folderUrl: (path) => folderUrl(path, pathRules()),
  readFile: (url, signal) => ifExists(() => readShared(url, signal)),
  readBlob,
  listFolder,
  hasPath,
  pageUrl: () => undefined,
  stores: nodeStores,
  noStore: noStoreReason(),
  hasCors: false,
  newSha256: () => createHash("sha256"),
  nextTask: () => new Promise((done) => void setImmediate(done)),
};
