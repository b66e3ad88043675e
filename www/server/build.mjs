// Builds the page into .build/www: one folder that any static server can serve, with the engine and the default model.
// pkg/dist has to be there: node pkg/build.mjs.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const source = fileURLToPath(new URL("..", import.meta.url));
const out = join(source, "..", ".build", "www");
const engine = join(source, "..", "pkg", "dist");

/** What is copied as it is: its place in the built folder, and where it comes from. */
const copies = {
  "index.html": join(source, "index.html"),
  "icon.svg": join(source, "icon.svg"),
  "collection.json": join(source, "documents/collection.json"),
  "assets": join(engine, "assets"),
  ...font("inter", "inter-latin-wght-normal.woff2"),
  ...font("source-serif-4", "source-serif-4-latin-wght-normal.woff2"),
};

/** Files that are large, or not needed by everybody: kept for offline use once they are fetched, not before. */
const cachedOnDemand = (path) => path.startsWith("assets/") && path !== "assets/worker.js";

if (!existsSync(join(engine, "assets", "worker.js"))) {
  console.error("pkg/dist is missing: build the package first (./build.sh pkg)");
  process.exit(1);
}
rmSync(out, { recursive: true, force: true });
for (const [to, from] of Object.entries(copies)) {
  mkdirSync(dirname(join(out, to)), { recursive: true });
  cpSync(from, join(out, to), { recursive: true });
}
await bundle({ entryPoints: [join(source, "main.ts")], format: "esm", outfile: join(out, "main.js") });
await bundle({ entryPoints: [join(source, "style/style.css")], external: ["./fonts/*"], outfile: join(out, "style.css") });
// Last, for it knows the hash of every other file.
await bundle({ entryPoints: [join(source, "offline/service-worker.ts")], format: "iife", outfile: join(out, "sw.js"), define: { FILES: JSON.stringify(fileTable()) } });

function bundle(options) {
  return build({ bundle: true, target: "es2022", minify: true, legalComments: "none", logLevel: "warning", ...options });
}

/** Every built file for the service worker: its path, its SHA-256, and whether it is fetched when the worker is installed. */
function fileTable() {
  return filesIn(out)
    .map((name) => ({ name, path: relative(out, name).split(sep).join("/") }))
    .filter(({ path }) => !path.endsWith(".txt"))
    .map(({ name, path }) => ({
      path: path === "index.html" ? "" : path,
      sha256: createHash("sha256").update(readFileSync(name)).digest("base64"),
      precache: !cachedOnDemand(path),
    }));
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(name) : [name];
  });
}

/** A font's file under a name of its own, with its licence beside it. */
function font(name, file) {
  const folder = join(source, "node_modules", "@fontsource-variable", name);
  return { [`fonts/${name}.woff2`]: join(folder, "files", file), [`fonts/${name}-licence.txt`]: join(folder, "LICENSE") };
}
