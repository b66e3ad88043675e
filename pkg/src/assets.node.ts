// The package's files in Node, Deno and Bun. Separate from assets.ts, because bundlers for browsers would include them.
//
// Functions with block bodies return the URLs: @vercel/nft, with which Next.js, Nuxt and Vercel find the files that a
// deployment needs, does not look into concise arrow functions.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

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

/** The default model of the installed package. Bundlers do not recognize these expressions, so a bundle has it only on request. */
export const installedDefaultModel: ModelFileSet = {
  get "config.json"() {
    return installedFile("default/config.json", () => {
      return join(dirname(fileURLToPath(import.meta.url)), "assets/default/config.json");
    });
  },
  get "tokenizer.json"() {
    return installedFile("default/tokenizer.json", () => {
      return join(dirname(fileURLToPath(import.meta.url)), "assets/default/tokenizer.json");
    });
  },
  get "tokenizer_config.json"() {
    return installedFile("default/tokenizer_config.json", () => {
      return join(dirname(fileURLToPath(import.meta.url)), "assets/default/tokenizer_config.json");
    });
  },
  get "config_sentence_transformers.json"() {
    return installedFile("default/config_sentence_transformers.json", () => {
      return join(dirname(fileURLToPath(import.meta.url)), "assets/default/config_sentence_transformers.json");
    });
  },
  get "model.safetensors"() {
    return installedFile("default/model.safetensors", () => {
      return join(dirname(fileURLToPath(import.meta.url)), "assets/default/model.safetensors");
    });
  },
};

/**
 * Returns the URL of a file of the package: where a bundler has put it, or else in the folder `assets` next to this module.
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
  return pathToFileURL(join(moduleFolder(), "assets", path));
}

/**
 * Returns the URL of a file in the folder `assets` next to this module.
 * @param fromModule returns the path, with a literal that `@vercel/nft` recognizes
 */
function installedFile(path: string, fromModule: () => string): URL {
  try {
    return pathToFileURL(fromModule());
  } catch {
    return pathToFileURL(join(moduleFolder(), "assets", path));
  }
}

function moduleFolder(): string {
  const url = import.meta.url as string | undefined;
  if (url?.startsWith("file:") === true) return dirname(fileURLToPath(url));
  return typeof __filename === "string" ? dirname(__filename) : process.cwd();
}
