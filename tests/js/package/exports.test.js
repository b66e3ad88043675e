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

test("ranklet/server brings no engine and no model", async () => {
  const seen = new Set();
  const visit = (url) => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, path] of readFileSync(url, "utf8").matchAll(/from "(\.[^"]+)"/g)) visit(new URL(path, url));
  };
  visit(new URL("server/index.js", dist));
  const folders = new Set([...seen].map((href) => href.slice(new URL(dist).href.length).split("/").slice(0, -1).join("/")));
  assert.deepEqual([...folders].sort(), ["", "server", "util"]);
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
