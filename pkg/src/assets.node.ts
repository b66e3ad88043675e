// The package's files in Node, Deno and Bun. Separate from assets.ts, because bundlers for browsers would include them.
//
// Functions with block bodies return the URLs: @vercel/nft, with which Next.js, Nuxt and Vercel find the files that a
// deployment needs, does not look into concise arrow functions.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { type EmbeddedModel, type EmbeddedModelUrls, lazyModel } from "./model/embedded-models.js";
import type { ModelFileSet } from "./types.js";

/** The path of this module, or of the bundle that contains it, if it is a CommonJS module. */
declare const __filename: string | undefined;

/** Returns the URL of the engine for runtimes with SIMD. */
export function engineUrl(): URL {
  return bundledFile("ranklet_bg.wasm", () => {
    return new URL("./assets/ranklet_bg.wasm", import.meta.url);
  });
}

/** Returns the URL of the engine for runtimes with relaxed SIMD: faster, with the same scores. */
export function relaxedEngineUrl(): URL {
  return bundledFile("ranklet_relaxed_bg.wasm", () => {
    return new URL("./assets/ranklet_relaxed_bg.wasm", import.meta.url);
  });
}

/** Returns the URL of the worker's program. */
export function workerUrl(): URL {
  return bundledFile("worker.mjs", () => {
    return new URL("./assets/worker.mjs", import.meta.url);
  });
}

/** Returns an embedded model of the installed package. Bundlers do not recognize its paths, so a bundle has it only on request. */
export function installedModel(model: EmbeddedModel): ModelFileSet {
  return lazyModel((name) => (model === "default" ? installedDefault(name) : undefined) ?? assetUrl(`${model}/${name}`));
}

/** Returns the URL of a file of the default model, in a way that @vercel/nft sees: a deployment has this model without an import. */
function installedDefault(name: keyof EmbeddedModelUrls): URL | undefined {
  try {
    const path = installedPaths()[name];
    return existsSync(path) ? pathToFileURL(path) : undefined;
  } catch {
    return undefined; // A CommonJS bundle has no import.meta.url.
  }
}

function installedPaths(): Readonly<Record<keyof EmbeddedModelUrls, string>> {
  return {
    "config.json": join(dirname(fileURLToPath(import.meta.url)), "assets/default/config.json"),
    "tokenizer.json": join(dirname(fileURLToPath(import.meta.url)), "assets/default/tokenizer.json"),
    "tokenizer_config.json": join(dirname(fileURLToPath(import.meta.url)), "assets/default/tokenizer_config.json"),
    "config_sentence_transformers.json": join(dirname(fileURLToPath(import.meta.url)), "assets/default/config_sentence_transformers.json"),
    "model.safetensors": join(dirname(fileURLToPath(import.meta.url)), "assets/default/model.safetensors"),
  };
}

/**
 * Returns the URL of a file of the package: where a bundler has put it, or else as `assetUrl`.
 * @param path the path in the folder `assets`
 * @param fromModule returns `new URL("./assets/…", import.meta.url)`, with a literal path that bundlers recognize
 */
export function bundledFile(path: string, fromModule: () => URL): URL {
  try {
    // Bundlers for servers give objects that only look like a URL, and URLs that only a browser can load.
    const url = new URL(fromModule().href);
    if (url.protocol === "file:" && existsSync(url)) return url;
  } catch {
    // A CommonJS bundle has no import.meta.url.
  }
  return assetUrl(path);
}

/**
 * Returns the URL of a file in the folder `assets` next to this module. If a bundle has no such file, returns that of the
 * package that is installed where the bundle runs, if there is one.
 */
function assetUrl(path: string): URL {
  const copied = pathToFileURL(join(moduleFolder(), "assets", path));
  try {
    if (!existsSync(copied)) return pathToFileURL(createRequire(copied).resolve(`ranklet/assets/${path}`));
  } catch {
    // The package is not installed there, or may not be read.
  }
  return copied;
}

function moduleFolder(): string {
  const url = import.meta.url as string | undefined;
  if (url?.startsWith("file:") === true) return dirname(fileURLToPath(url));
  return typeof __filename === "string" ? dirname(__filename) : process.cwd();
}
