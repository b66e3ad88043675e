// URLs of the package's files in browsers. Bundlers that understand `new URL("…", import.meta.url)` include the files; for
// others, the application copies the folder `assets` next to the bundle. The URLs are computed when they are needed, because
// a bundle that is no module has no import.meta.url.
import { RankletError } from "./errors.js";

/** The URL of a script that is no module. A page knows it only while the script runs for the first time. */
const scriptUrl = globalThis.document === undefined ? globalThis.location?.href : (document.currentScript as HTMLScriptElement | null)?.src;

/** The engine for runtimes with SIMD. */
export const engineUrl = (): URL => assetUrl(() => new URL("./assets/ranklet_bg.wasm", import.meta.url), "ranklet_bg.wasm");

/** The engine for runtimes with relaxed SIMD: faster, with the same scores. */
export const relaxedEngineUrl = (): URL =>
  assetUrl(() => new URL("./assets/ranklet_relaxed_bg.wasm", import.meta.url), "ranklet_relaxed_bg.wasm");

/**
 * Returns the URL of a file of the package.
 * @param fromModule returns `new URL("./assets/…", import.meta.url)`, with a literal path
 * @param path the path in the folder `assets`, used if the bundle is not a module
 * @throws RankletError `unsupported` if neither a module nor a script has a URL
 */
function assetUrl(fromModule: () => URL, path: string): URL {
  try {
    return installedUrl(fromModule());
  } catch {
    return scriptAssetUrl(path);
  }
}

/**
 * Returns the URL of a file of an embedded model.
 * @param fromModule as that of `assetUrl`
 * @param folder the model's folder in `assets`
 * @throws RankletError `unsupported` as `assetUrl`, and if a bundler has turned the file into JavaScript
 */
export function modelFileUrl(fromModule: () => URL, folder: string, name: string): URL {
  const url = assetUrl(fromModule, `${folder}/${name}`);
  if (!url.pathname.endsWith(".js")) return url;
  throw new RankletError(
    "unsupported",
    `load: the bundler made JavaScript of ${name}; with Parcel, write { "extends": "@parcel/config-default", "transformers": { "node_modules/ranklet/dist/assets/${folder}/*.json": ["@parcel/transformer-raw"] } } into .parcelrc`,
  );
}

/** The folder in which the development server of Vite 7 puts a bundle of each package, without the package's files. */
const bundledByVite = /\/node_modules\/\.[^?]*\/deps\/assets\//;
const installed = "/node_modules/ranklet/dist/assets/";

/** Returns the URL of a file in the installed package, if Vite 7 has put only the code elsewhere. */
function installedUrl(url: URL): URL {
  return bundledByVite.test(url.href) ? new URL(url.href.replace(bundledByVite, installed)) : url;
}

/** The worker's program, for pages of another origin. */
export const workerUrl = (): URL => assetUrl(() => new URL("./assets/worker.js", import.meta.url), "worker.js");

/** Returns the URL of a worker's program in the installed package, if this code is not bundled, or by Vite 7's development server. */
function installedProgram(name: string): URL | undefined {
  const url = workerUrl();
  return url.pathname.includes(installed) ? new URL(name, url) : undefined;
}

/** Starts the worker's program. Bundlers recognize the expression, and bundle the program. */
export function newWorker(name: string): Worker {
  const url = installedProgram("worker.js");
  if (url !== undefined) return new Worker(url, { type: "module", name });
  try {
    return new Worker(new URL("./assets/worker.js", import.meta.url), { type: "module", name });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return new Worker(scriptAssetUrl("worker.js"), { name }); // There is no import.meta.url.
  }
}

/** Starts the shared worker's program, unless one of this name runs in the origin. Bundlers recognize the expression. */
export function newSharedWorker(name: string): SharedWorker {
  const url = installedProgram("shared-worker.js");
  if (url !== undefined) return new SharedWorker(url, { type: "module", name });
  try {
    return new SharedWorker(new URL("./assets/shared-worker.js", import.meta.url), { type: "module", name });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return new SharedWorker(scriptAssetUrl("shared-worker.js"), { name }); // There is no import.meta.url.
  }
}

function scriptAssetUrl(path: string): URL {
  if (URL.canParse(path, scriptUrl)) return new URL(`assets/${path}`, scriptUrl);
  throw new RankletError(
    "unsupported",
    `this bundle has no URL to load ${path} from; give load the option wasm, and the model as a folder or files`,
  );
}
