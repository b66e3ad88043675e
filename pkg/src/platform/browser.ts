import { engineUrl, relaxedEngineUrl } from "../assets.js";
import { hasRelaxedSimd } from "../engine/relaxed-simd.js";
import { RankletError } from "../errors.js";
import { lazyModel } from "../model/embedded-models.js";
import { TabLink } from "../shared/tabs/tab-link.js";
import { PortableSha256 } from "../util/sha256.js";
import { browserStores } from "./browser-store.js";
import { startWorker } from "./browser-worker.js";
import { nextTask } from "./next-task.js";
import type { Platform } from "./platform.js";

const pageUrl = (): string => globalThis.document?.baseURI ?? globalThis.location.href;

/** Pages and workers in browsers. All files are fetched, from the package's own URL. */
export const browser: Platform = {
  checkScope: () => {},
  engine: () => (hasRelaxedSimd() ? relaxedEngineUrl() : engineUrl()),
  engineNeeds: "it needs WebAssembly with SIMD and, under a content security policy, 'wasm-unsafe-eval'",
  // A service worker has no workers.
  startWorker: typeof Worker === "function" ? startWorker : undefined,
  // Only pages have shared workers, and not in Chrome on Android. Their tabs are found by locks, which need https.
  openTabLink: typeof SharedWorker === "function" && globalThis.navigator?.locks !== undefined ? TabLink.open : undefined,
  hasGpu: () => globalThis.navigator !== undefined && "gpu" in navigator,
  cpuCount: () => globalThis.navigator?.hardwareConcurrency ?? 1,
  embeddedModel: (model) => {
    if (!isBundled()) return lazyModel((name) => new URL(`${model}/${name}`, engineUrl()));
    throw new RankletError(
      "unsupported",
      `load: this bundle does not have the ${model} model; add the line \`import "ranklet/${model}-model"\`, or give load the model to use`,
    );
  },
  missingFileAdvice:
    'copy node_modules/ranklet/dist/assets next to the bundle, as "assets" (esbuild, Rollup, Bun, Parcel; Angular: { "glob": "**/*", "input": "node_modules/ranklet/dist/assets", "output": "assets" } in assets in angular.json), or give load the option wasm and a model; in Vite 7\'s development server, optimizeDeps: { exclude: ["ranklet"] } helps',
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

declare const process: { readonly env: { readonly NODE_ENV: string | undefined } };

/**
 * Whether a bundler has processed this code: it replaces the expression by a string. Without one, pages have no `process`.
 * So development servers, which could find the default model in node_modules, behave as the bundle they stand for.
 */
function isBundled(): boolean {
  try {
    return process.env.NODE_ENV !== undefined;
  } catch {
    return false;
  }
}
