import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { dist, inRepository } from "../support/paths.js";

test("TypeScript and Rust have the same error codes", async () => {
  const { errorCodes } = await import(new URL("index.node.js", dist));
  const wasm = await import(new URL("wasm/ranklet.js", dist));
  wasm.initSync({ module: readFileSync(new URL("wasm/ranklet_bg.wasm", dist)) });
  assert.deepEqual([...errorCodes].sort(), [...wasm.error_codes()].sort());
});

test("all entry points export the same names", async () => {
  const names = async (entry) => Object.keys(await import(new URL(entry, dist))).sort();
  assert.deepEqual(await names("index.js"), await names("index.node.js"));
  // Node cannot import the entry point for Workers, which imports WebAssembly; it differs from Node's in the platform only.
  const code = (entry) =>
    /^export .*$/ms.exec(readFileSync(inRepository(`pkg/src/${entry}`), "utf8").replaceAll(/node|workerd/gi, "platform"))[0];
  assert.match(code("index.workerd.ts"), /rerankerOn\(platform\)/);
  assert.equal(code("index.workerd.ts"), code("index.node.ts"));
});

/** Returns the files in dist that an entry loads. */
function filesOf(entry) {
  const seen = new Set();
  const visit = (url) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, path] of readFileSync(url, "utf8").matchAll(/(?:from |import\(?\s?)"(\.[^"]+\.js)"/g)) visit(new URL(path, url));
  };
  visit(new URL(entry, dist));
  return [...seen].map((href) => href.slice(new URL(dist).href.length)).sort();
}

/** Returns the paths in dist of an entry and of all modules that it imports. A bundle names each of its modules in a comment. */
function modulesOf(entry) {
  return filesOf(entry)
    .flatMap((file) => {
      const modules = [...readFileSync(new URL(file, dist), "utf8").matchAll(/^\/\/ (\S+\.js)$/gm)].map(([, path]) => path);
      return file.startsWith("chunk-") ? modules : [file, ...modules];
    })
    .sort();
}

test("an entry point is a few files, because each file takes time to load", () => {
  for (const entry of ["index.js", "index.node.js", "index.workerd.js", "index.edge.js"]) {
    const files = filesOf(entry);
    assert.ok(files.length <= 8, `${entry} loads ${files.length} files: ${files}`);
    assert.ok(modulesOf(entry).includes("api/reranker.js"), entry);
  }
});

test("ranklet/server brings no engine and no model", () => {
  const folders = new Set(modulesOf("server/index.js").map((path) => path.split("/").slice(0, -1).join("/")));
  assert.deepEqual([...folders].sort(), ["", "documents", "server", "util"]);
});

test("the entry points of Node, Workers and edge functions bring no file for browsers", () => {
  const forBrowsers = modulesOf("index.js").filter((path) => !modulesOf("index.node.js").includes(path));
  for (const path of ["assets.js", "platform/browser.js", "shared/tabs/tab-link.js", "shared/tabs/hosted-workers.js"])
    assert.ok(forBrowsers.includes(path), path);
  for (const entry of ["index.node.js", "index.workerd.js", "index.edge.js"])
    assert.deepEqual(
      modulesOf(entry).filter((path) => forBrowsers.includes(path)),
      [],
      entry,
    );
});

test("the adapters use the public API, and four modules that know only its errors", () => {
  const shared = ["../documents/fields.js", "../util/load-once.js", "../util/check.js", "../util/abort.js"];
  const adapters = readdirSync(new URL("adapters/", dist)).filter((file) => file.endsWith(".js"));
  assert.ok(adapters.length >= 4, adapters.join());
  for (const name of adapters) {
    const code = readFileSync(new URL(`adapters/${name}`, dist), "utf8");
    const imports = [...code.matchAll(/from "([^"]+)"/g)].map(([, path]) => path);
    assert.deepEqual(
      imports.filter((path) => !["ranklet", "./lazy-reranker.js", "genkit/plugin", ...shared].includes(path)),
      [],
      name,
    );
  }
  const known = shared.flatMap((path) => modulesOf(path.slice("../".length)));
  assert.deepEqual([...new Set(known)].sort(), [
    "documents/fields.js",
    "documents/text_fields.js",
    "errors.js",
    "util/abort.js",
    "util/check.js",
    "util/load-once.js",
    "util/option-names.js",
  ]);
});
