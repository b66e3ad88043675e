import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";

import { checkpoint } from "../support/models/fixtures.js";
import { root } from "../support/paths.js";
import { startDemo } from "../support/servers/demo.js";
import { startModelHost } from "../support/servers/model-host.js";

/** Requests exactly this path; fetch would normalize it. */
function send(base, path, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const outgoing = request({ hostname, port, path, method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => (body += text));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
    });
    outgoing.on("error", reject).end();
  });
}

describe("the demo's server", () => {
  let demo;
  before(async () => (demo = await startDemo()));
  after(() => demo.stop());

  const served = {
    "/": "text/html; charset=utf-8",
    "/style.css": "text/css; charset=utf-8",
    "/main.js": "text/javascript; charset=utf-8",
    "/sw.js": "text/javascript; charset=utf-8",
    "/icon.svg": "image/svg+xml",
    "/fonts/inter.woff2": "font/woff2",
    "/collection.json": "application/json",
    "/assets/worker.js": "text/javascript; charset=utf-8",
    "/assets/ranklet_bg.wasm": "application/wasm",
    "/assets/ranklet_relaxed_bg.wasm": "application/wasm",
    "/assets/default/model.safetensors": "application/octet-stream",
    "/assets/small/model.safetensors": "application/octet-stream",
  };
  for (const [path, type] of Object.entries(served)) {
    test(`the demo server serves ${path} as ${type} with the policy`, async () => {
      const { status, headers } = await send(demo.url, path, { method: "HEAD" });
      assert.equal(status, 200);
      assert.equal(headers["content-type"], type);
      assert.match(headers["content-security-policy"], /^default-src 'self'; script-src 'self' 'wasm-unsafe-eval';/);
    });
  }

  const refused = [
    "/README.md",
    "/../Cargo.toml",
    "/%2e%2e/%2e%2e/Cargo.lock",
    "/assets/../../../package.json",
    "/..%2f..%2fpkg%2fpackage.json",
    "/..%5c..%5cpkg/package.json",
    "/main.ts",
    "/serve.mjs",
    "/www/",
    "/%00.html",
    "/%",
  ];
  for (const path of refused) {
    test(`the demo server does not serve ${path}`, async () => assert.equal((await send(demo.url, path)).status, 404));
  }

  test("the demo server refuses methods other than GET and HEAD", async () => {
    for (const method of ["POST", "PUT", "DELETE"]) assert.equal((await send(demo.url, "/", { method })).status, 405);
  });

  test("the demo server answers 304 if the client has the file", async () => {
    const { etag } = (await send(demo.url, "/main.js", { method: "HEAD" })).headers;
    assert.match(etag, /^"[\w-]{43}"$/);
    const again = await send(demo.url, "/main.js", { headers: { "if-none-match": etag } });
    assert.deepEqual([again.status, again.body, again.headers.etag], [304, "", etag]);
    assert.equal((await send(demo.url, "/main.js", { headers: { "if-none-match": '"other"' } })).status, 200);
  });
});

describe("the demo server's forwarding of a hub", () => {
  const model = checkpoint((labels) => labels === 1);
  const id = "someone/small-model";
  let hub;
  let demo;
  before(async () => {
    hub = await startModelHost({ [id]: (file) => new URL(file, model.url) });
    demo = await startDemo({ RANKLET_HUB: hub.url });
  });
  after(async () => {
    await demo?.stop();
    await hub?.stop();
  });

  test("the demo server forwards a model's files with status, length and commit", async () => {
    const { status, headers, body } = await send(demo.url, `/hub/${id}/resolve/main/config.json`);
    assert.deepEqual([status, body], [200, readFileSync(new URL("config.json", model.url), "utf8")]);
    assert.deepEqual([headers["content-length"], headers["x-repo-commit"]], [String(body.length), hub.commit]);
    assert.match(headers["content-security-policy"], /^default-src 'self'/);
    assert.equal((await send(demo.url, `/hub/${id}/resolve/gone/config.json`)).status, 404);
  });

  const { files, weights, modules } = JSON.parse(readFileSync(new URL("src/checkpoint/model_files.json", root), "utf8"));
  const shards = weights.filter(({ shardSuffix }) => shardSuffix !== null).map(({ shardSuffix }) => `part_00001-of-00002${shardSuffix}`);
  const ofModules = [modules.config, ...modules.weights].map((name) => `1_Pooling/${name}`);
  const data = ["onnx/model.onnx_data", "onnx/model_fp16.onnx_data_2", "model.onnx.data"];
  for (const name of [
    ...files.flatMap(({ name, replacements = [] }) => [name, ...replacements]),
    ...weights.map((form) => form.name),
    ...shards,
    ...ofModules,
    ...data,
  ]) {
    test(`the demo server forwards ${name}, which the package may request`, async () => {
      await send(demo.url, `/hub/${id}/resolve/main/${name}`);
      assert.equal(hub.requests.at(-1), `/${id}/resolve/main/${name}`);
    });
  }

  test("the demo server forwards the list of a model's files", async () => {
    const { status, body } = await send(demo.url, `/hub/api/models/${id}/revision/main`);
    assert.equal(status, 404, "this hub has no lists");
    assert.equal(hub.requests.at(-1), `/api/models/${id}/revision/main?blobs=true`);
    assert.equal(body, "");
  });

  test("the demo server forwards nothing but files of a model and lists of them", async () => {
    const before = hub.requests.length;
    for (const path of [
      "x",
      "a/b/resolve/main/README.md",
      "a/b/resolve/main/../config.json",
      "../api/whoami",
      "a/b/raw/main/config.json",
      "a/b/resolve/main%2f..%2fx/config.json",
      "a/../resolve/main/config.json",
      "a/b/resolve/main/config.json/more",
      "@x/b/resolve/main/config.json",
      `a/b/resolve/main/${"a".repeat(97)}.safetensors`,
      `a/b/resolve/main/${"a".repeat(97)}/config.json`,
      "a/b/resolve/main/.a.safetensors",
      "a/b/resolve/main/a..b.safetensors",
      "a/b/resolve/main/.git/config.json",
      "a/b/resolve/main/1_Pooling/tokenizer.json",
      "a/b/resolve/main/1_Pooling/a.safetensors",
      "a/b/resolve/main/a.bin.txt",
      "a/b/resolve/main/onnx/model_O3.onnx",
      "a/b/resolve/main/onnx/model.onnx_datas",
      "a/b/resolve/main/x/model.onnx",
      "api/models/a/b",
      "api/models/a/b/revision/main/more",
      "api/models/a/../revision/main",
      "api/models/a/b/tree/main",
      "api/datasets/a/b/revision/main",
    ]) {
      assert.equal((await send(demo.url, `/hub/${path}`)).status, 404, path);
    }
    assert.equal(hub.requests.length, before, "the hub got no request");
  });

  test("the demo server answers 502 if the hub cannot be reached", async () => {
    const alone = await startDemo({ RANKLET_HUB: "http://127.0.0.1:9" });
    const { status, body } = await send(alone.url, "/hub/a/b/resolve/main/config.json");
    await alone.stop();
    assert.equal(status, 502);
    assert.match(body, /The hub could not be reached/);
  });
});
