// Builds the page into .build/www, a folder for any static server, with the engine and the default model. It needs pkg/dist,
// which `node pkg/build.mjs` builds.
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

const source = fileURLToPath(new URL("..", import.meta.url));
const out = join(source, "..", ".build", "www");
const engine = join(source, "..", "pkg", "dist");

/** Files and folders that are copied unchanged: the path in the built folder and the source. */
const copies = {
  "index.html": join(source, "index.html"),
  "icon.svg": join(source, "icon.svg"),
  "collection.json": join(source, "documents/collection.json"),
  assets: join(engine, "assets"),
  ...font("inter", "inter-latin-wght-normal.woff2"),
  ...font("source-serif-4", "source-serif-4-latin-wght-normal.woff2"),
};

/**
 * Returns whether the service worker caches a file only after the page has fetched it. These are large files, and files that some
 * browsers do not need.
 */
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
// Built last, because it contains the hash of every other file.
await bundle({
  entryPoints: [join(source, "offline/service-worker.ts")],
  format: "iife",
  outfile: join(out, "sw.js"),
  define: { FILES: JSON.stringify(fileTable()) },
});

function bundle(options) {
  // esbuild warns of the package's chunks that an entry imports for their order alone; in node_modules it would not.
  return build({
    logOverride: { "ignored-bare-import": "silent" },
    bundle: true,
    target: "es2022",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    ...options,
  });
}

/** Returns all built files with their SHA-256, and whether the service worker fetches them when it is installed. */
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

/** Returns the copies for a font: the file and its license. */
function font(name, file) {
  const folder = join(source, "node_modules", "@fontsource-variable", name);
  return { [`fonts/${name}.woff2`]: join(folder, "files", file), [`fonts/${name}-license.txt`]: join(folder, "LICENSE") };
}
