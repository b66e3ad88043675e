import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, test } from "node:test";

import { startDemo } from "./support/chromium.js";

/** Asks with the path as it is written here; fetch would tidy it up. */
function ask(base, path, method = "GET") {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const asked = request({ hostname, port, path, method }, (response) => {
      response.resume().on("end", () => resolve({ status: response.statusCode, headers: response.headers }));
    });
    asked.on("error", reject).end();
  });
}

describe("the demo's server", () => {
  let demo;
  before(async () => (demo = await startDemo()));
  after(() => demo.stop());

  const served = {
    "/www/": "text/html; charset=utf-8",
    "/www/style.css": "text/css; charset=utf-8",
    "/www/main.js": "text/javascript; charset=utf-8",
    "/www/icon.svg": "image/svg+xml",
    "/pkg/dist/index.js": "text/javascript; charset=utf-8",
    "/pkg/dist/wasm/ranklet_bg.wasm": "application/wasm",
    "/pkg/dist/default/model.safetensors": "application/octet-stream",
  };
  for (const [path, type] of Object.entries(served)) {
    test(`serves ${path} as ${type}, under the policy`, async () => {
      const { status, headers } = await ask(demo.url, path, "HEAD");
      assert.equal(status, 200);
      assert.equal(headers["content-type"], type);
      assert.match(headers["content-security-policy"], /^default-src 'self'; script-src 'self' 'wasm-unsafe-eval';/);
    });
  }

  const refused = ["/README.md", "/Cargo.toml", "/www/../Cargo.toml", "/www/%2e%2e/Cargo.lock", "/pkg/dist/../package.json",
    "/pkg/dist/..%2fpackage.json", "/www/..%5c..%5cpkg/package.json", "/www/main.ts", "/www/serve.mjs", "/www/%00.html", "/www/%"];
  for (const path of refused) {
    test(`does not serve ${path}`, async () => assert.equal((await ask(demo.url, path)).status, 404));
  }

  test("leads from / to the page and takes no other method", async () => {
    const { status, headers } = await ask(demo.url, "/");
    assert.deepEqual([status, headers.location], [302, "/www/"]);
    assert.equal((await ask(demo.url, "/www/", "POST")).status, 405);
  });
});
