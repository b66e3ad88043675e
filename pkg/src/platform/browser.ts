import { bestEngineUrl } from "../assets.js";
import defaultModel from "../default-model.js";
import { RankletError } from "../errors.js";
import { expectSuccess, request } from "../util/request.js";
import { PortableSha256 } from "../util/sha256.js";
import { browserStores } from "./browser-store.js";
import { startWorker } from "./browser-worker.js";
import { nextTask } from "./next-task.js";
import type { Platform } from "./platform.js";

const pageUrl = (): string => globalThis.document?.baseURI ?? globalThis.location.href;

/** Pages and workers in browsers. All files are fetched, from the package's own URL. */
export const browser: Platform = {
  engineModule: async () => {
    const engineUrl = bestEngineUrl();
    const response = expectSuccess(await request(engineUrl), engineUrl);
    // compileStreaming requires the MIME type, which many servers do not send.
    const type = response.headers.get("content-type") ?? "";
    if (type.startsWith("text/html")) throw new RankletError("network", `${engineUrl.href} answered with an HTML page; copy the package's folder "assets" there`);
    const streams = type === "application/wasm";
    return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
  },
  // A service worker has no workers.
  startWorker: typeof Worker === "function" ? startWorker : undefined,
  hasGpu: () => "gpu" in navigator,
  cpuCount: () => navigator.hardwareConcurrency,
  defaultModel: () => defaultModel,
  hubEnvironment: () => undefined,
  isNativePath: () => false,
  folderUrl: (path) => new URL(path, pageUrl()),
  readFile: () =>
    Promise.reject(new RankletError("unsupported", "a page cannot read file: URLs; serve the folder over http, or give the files")),
  listFolder: () => undefined,
  hasPath: () => false,
  pageUrl,
  stores: browserStores,
  noStore: "a page needs https for a cache",
  hasCors: true,
  newSha256: () => new PortableSha256(),
  nextTask,
};
