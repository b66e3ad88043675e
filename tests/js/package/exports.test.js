import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { dist } from "../support/paths.js";

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
  const code = (entry) => readFileSync(new URL(entry, dist), "utf8").replaceAll(/node|workerd/gi, "platform").split("\n").slice(1);
  assert.deepEqual(code("index.workerd.js"), code("index.node.js"));
});

/** Returns the paths in dist of an entry and of all modules that it imports. */
function modulesOf(entry) {
  const seen = new Set();
  const visit = (url) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, path] of readFileSync(url, "utf8").matchAll(/(?:from |import\(?)"(\.[^"]+\.js)"/g)) visit(new URL(path, url));
  };
  visit(new URL(entry, dist));
  return [...seen].map((href) => href.slice(new URL(dist).href.length)).sort();
}

test("ranklet/server brings no engine and no model", () => {
  const folders = new Set(modulesOf("server/index.js").map((path) => path.split("/").slice(0, -1).join("/")));
  assert.deepEqual([...folders].sort(), ["", "server", "util"]);
});

test("the entry points of Node, Workers and edge functions bring no file for browsers", () => {
  const forBrowsers = modulesOf("index.js").filter((path) => !modulesOf("index.node.js").includes(path));
  for (const path of ["assets.js", "platform/browser.js", "shared/tabs/tab-link.js", "shared/tabs/hosted-workers.js"]) assert.ok(forBrowsers.includes(path), path);
  for (const entry of ["index.node.js", "index.workerd.js", "index.edge.js"]) assert.deepEqual(modulesOf(entry).filter((path) => forBrowsers.includes(path)), [], entry);
});

test("the adapters use the public API alone", () => {
  for (const name of readdirSync(new URL("adapters/", dist)).filter((file) => file.endsWith(".js"))) {
    const code = readFileSync(new URL(`adapters/${name}`, dist), "utf8");
    const imports = [...code.matchAll(/from "([^"]+)"/g)].map(([, path]) => path);
    assert.deepEqual(imports.filter((path) => !["ranklet", "./lazy-reranker.js", "../util/load-once.js", "genkit/plugin"].includes(path)), [], name);
  }
  // The one internal file that they share with ranklet/server knows nothing of the package.
  assert.doesNotMatch(readFileSync(new URL("util/load-once.js", dist), "utf8"), /import|ranklet/i);
});
