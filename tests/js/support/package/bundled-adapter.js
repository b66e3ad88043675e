import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";

import { dist } from "../paths.js";

/**
 * Bundles an adapter and imports it.
 * @param {string} name its file in `dist/adapters`, without the extension
 * @param {{ target?: string, modules?: Record<string, string> }} options esbuild's target; the code of modules by their name, in
 *   place of packages that are not installed
 */
export async function importBundled(name, { target = "es2022", modules = {} } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-adapter-"));
  const outfile = join(folder, "adapter.mjs");
  const plugin = {
    name: "modules",
    setup: ({ onResolve, onLoad }) => {
      onResolve({ filter: /^ranklet$/ }, () => ({ path: new URL("index.node.js", dist).href, external: true }));
      onResolve({ filter: /.*/ }, ({ path }) => (Object.hasOwn(modules, path) ? { path, namespace: "given" } : undefined));
      onLoad({ filter: /.*/, namespace: "given" }, ({ path }) => ({ contents: modules[path] }));
    },
  };
  try {
    await build({
      entryPoints: [fileURLToPath(new URL(`adapters/${name}.js`, dist))],
      outfile,
      target,
      bundle: true,
      minify: true,
      format: "esm",
      plugins: [plugin],
    });
    return await import(pathToFileURL(outfile));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
