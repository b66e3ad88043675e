// Builds dist/, whose folder wasm has the engine already (./build.sh wasm): compiles src/, bundles the entries and the worker's
// programs, and copies the files that are fetched at run time to dist/assets.
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const dist = new URL("dist/", import.meta.url);
const assets = new URL("assets/", dist);
// The folders of the embedded models.
const models = ["default", "small"];
// Tables that the Rust code reads too: a model's files, and the fields with a document's text.
const modelFiles = JSON.parse(readFileSync(new URL("../src/checkpoint/model_files.json", import.meta.url), "utf8"));
const textFields = JSON.parse(readFileSync(new URL("../src/documents/text_fields.json", import.meta.url), "utf8"));

const engines = ["ranklet_bg.wasm", "ranklet_relaxed_bg.wasm"];

for (const engine of engines) {
  if (!existsSync(new URL(`wasm/${engine}`, dist))) {
    console.error(`pkg/dist/wasm/${engine} is missing: build the engine first (./build.sh wasm)`);
    process.exit(1);
  }
}
for (const name of readdirSync(dist)) {
  if (name !== "wasm") rmSync(new URL(name, dist), { recursive: true });
}
// As JavaScript modules, because not all supported runtimes can import JSON. tsc finds them through rootDirs.
for (const [name, table] of Object.entries({ "model/model_files": modelFiles, "documents/text_fields": textFields })) {
  mkdirSync(new URL(".", new URL(name, dist)), { recursive: true });
  writeFileSync(new URL(`${name}.js`, dist), `export default ${JSON.stringify(table)};\n`);
  writeFileSync(new URL(`${name}.d.ts`, dist), "declare const table: any;\nexport default table;\n");
}
execFileSync("npx", ["--no-install", "tsc", "-p", "."], { cwd: fileURLToPath(new URL(".", import.meta.url)), stdio: "inherit" });
mkdirSync(assets, { recursive: true });
for (const engine of engines) copyFileSync(new URL(`wasm/${engine}`, dist), new URL(engine, assets));
for (const model of models) {
  const [source, copy] = [new URL(`../models/${model}/`, import.meta.url), new URL(`${model}/`, assets)];
  mkdirSync(copy);
  for (const { name } of [...modelFiles.files, ...modelFiles.weights]) {
    if (existsSync(new URL(name, source))) copyFileSync(new URL(name, source), new URL(name, copy));
  }
}
// npm packs files of the package's own folder only.
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) {
  copyFileSync(new URL(`../${name}`, import.meta.url), new URL(name, import.meta.url));
}
// Each worker program is one file without imports, so that bundlers and content security policies need only its URL.
const program = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };
const bundle = (source, name, options) =>
  build({ ...program, ...options, entryPoints: [fileURLToPath(new URL(source, dist))], outfile: fileURLToPath(new URL(name, assets)) });
await bundle("worker/browser.js", "worker.js", { format: "iife" });
await bundle("shared/tabs/program.js", "shared-worker.js", { format: "iife" });
await bundle("worker/node.js", "worker.mjs", { format: "esm", platform: "node" });
await bundleEntries(
  ["index", "default-model", "small-model"]
    .flatMap((name) => ["", ".node", ".workerd"].map((platform) => `${name}${platform}.js`))
    .concat("index.edge.js"),
);

/**
 * Replaces entries by a few files with all that they import, because about 150 small modules take longer to load: in Node 45 ms
 * more. The modules stay in dist for tests; package.json leaves them out of the package.
 */
async function bundleEntries(entries) {
  const plugin = {
    name: "files that stay",
    setup: ({ onResolve }) => {
      // Other entries import the class of errors too.
      onResolve({ filter: /\/errors\.js$/ }, () => ({ path: "./errors.js", external: true }));
      onResolve({ filter: /\/assets\// }, ({ path }) => ({ path: path.replace(/^.*?assets/, "./assets"), external: true }));
    },
  };
  await build({
    entryPoints: entries.map((entry) => fileURLToPath(new URL(entry, dist))),
    outdir: fileURLToPath(dist),
    allowOverwrite: true,
    // In dist itself, because the URLs of assets are relative to the module.
    chunkNames: "[name]-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    // Unlike "browser", it leaves process.env.NODE_ENV to the application's bundler.
    platform: "neutral",
    target: "es2022",
    external: ["node:*"],
    legalComments: "none",
    logLevel: "warning",
    absWorkingDir: fileURLToPath(dist),
    plugins: [plugin],
  });
}
