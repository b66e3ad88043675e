import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";

import { startWorker } from "../support/children/workerd.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { installTools, runTool, skipUnlessLong } from "../support/package/tools.js";
import { inRepository } from "../support/paths.js";

/** Max size in bytes of a compressed Worker without weights. Cloudflare's free plan allows 3 MB. */
const maxUpload = 1_300_000;
const body = JSON.stringify({ query: "What is the capital of France?", documents: ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."] });

describe("examples/worker", () => {
  let project;
  const inProject = (path) => join(project.folder, path);
  before(() => {
    project = installPacked();
    for (const name of ["index.js", "wrangler.json"]) cpSync(inRepository(`examples/worker/${name}`), inProject(name));
  });
  after(() => project.remove());

  test("ranks in workerd with the model as a static asset", async () => {
    const source = ({ ranklet, server }) =>
      readFileSync(inProject("index.js"), "utf8").replace('"ranklet"', `"${ranklet}"`).replace('"ranklet/server"', `"${server}"`);
    const worker = await startWorker(project.folder, source, { assets: inProject("node_modules/ranklet/dist/assets") });
    try {
      const ranking = await (await fetch(`${worker.url}v1/rerank`, { method: "POST", body })).json();
      assert.equal(ranking.results[0].index, 1);
      assert.equal((await fetch(`${worker.url}health`)).status, 200);
      assert.equal((await fetch(`${worker.url}v1/rerank`)).status, 405);
      assert.equal(worker.errors(), "");
    } finally {
      await worker.stop();
    }
  });

  test("wrangler's upload has no weights and is small", { skip: skipUnlessLong }, (t) => {
    installTools(project.folder, "wrangler@4.86.0");
    const { status, output } = runTool(project.folder, "wrangler", ["deploy", "--dry-run", "--outdir", "out"], { env: { WRANGLER_SEND_METRICS: "false", CI: "1" } });
    assert.equal(status, 0, output);
    const uploaded = readdirSync(inProject("out")).filter((name) => /\.(js|wasm)$/.test(name));
    const compressed = uploaded.reduce((sum, name) => sum + gzipSync(readFileSync(inProject(`out/${name}`))).length, 0);
    t.diagnostic(`${uploaded.join(", ")}: ${(compressed / 1e6).toFixed(2)} MB compressed`);
    assert.ok(uploaded.some((name) => name.endsWith(".wasm")));
    assert.ok(compressed <= maxUpload, `${compressed} bytes`);
  });

  test("Cloudflare's Vite plugin builds it, with the model in the public folder", { skip: skipUnlessLong }, () => {
    installTools(project.folder, "vite@8.3.8", "@cloudflare/vite-plugin@1.64.0");
    const config = JSON.parse(readFileSync(inProject("wrangler.json"), "utf8"));
    writeFileSync(inProject("wrangler.json"), JSON.stringify({ ...config, assets: { binding: "ASSETS" } }));
    writeFileSync(inProject("vite.config.js"), 'import { cloudflare } from "@cloudflare/vite-plugin";\nexport default { plugins: [cloudflare()] };\n');
    cpSync(inProject("node_modules/ranklet/dist/assets/default"), inProject("public/default"), { recursive: true });
    const { status, output } = runTool(project.folder, "vite", ["build"]);
    assert.equal(status, 0, output);
    const large = filesOf(inProject("dist")).filter(({ bytes }) => bytes > 1_000_000).map(({ path }) => path.replace(/-[^/]*\.wasm$/, ".wasm"));
    assert.deepEqual(large.sort(), ["client/default/model.safetensors", "ranklet_example_worker/assets/ranklet_relaxed_bg.wasm"]);
  });
});
