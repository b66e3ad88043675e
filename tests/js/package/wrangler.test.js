import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";

import { startWorker } from "../support/children/workerd.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { installTools, runTool } from "../support/package/tools.js";
import { inRepository } from "../support/paths.js";
import { unlessLong } from "../support/skips.js";

/** Max size in bytes of a compressed Worker without weights. */
const maxUpload = 1_300_000;
/** Max size in bytes of a compressed Worker with the small model, which is the limit of hosts. */
const maxUploadWithModel = 10_000_000;
const body = JSON.stringify({
  query: "What is the capital of France?",
  documents: ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."],
});

/** Creates a project of an example in which the packed package is installed. */
function installExample(name) {
  const project = installPacked();
  for (const file of ["index.js", "wrangler.json"]) cpSync(inRepository(`examples/${name}/${file}`), join(project.folder, file));
  return project;
}

/** Runs `wrangler deploy --dry-run`, and returns what it prints. */
function dryRun(project) {
  installTools(project.folder, "wrangler@4.86.0");
  const { status, output } = runTool(project.folder, "wrangler", ["deploy", "--dry-run", "--outdir", "out"], {
    env: { WRANGLER_SEND_METRICS: "false", CI: "1" },
  });
  assert.equal(status, 0, output);
  return output;
}

async function assertServes({ url, errors }) {
  const ranking = await (await fetch(`${url}v1/rerank`, { method: "POST", body })).json();
  assert.equal(ranking.results[0].index, 1);
  assert.equal((await fetch(`${url}health`)).status, 200);
  assert.equal((await fetch(`${url}v1/rerank`)).status, 405);
  assert.equal(errors(), "");
}

describe("examples/worker", () => {
  let project;
  const inProject = (path) => join(project.folder, path);
  before(() => (project = installExample("worker")));
  after(() => project.remove());

  test("ranks in workerd with the model as a static asset", async () => {
    const source = ({ ranklet, server }) =>
      readFileSync(inProject("index.js"), "utf8").replace('"ranklet"', `"${ranklet}"`).replace('"ranklet/server"', `"${server}"`);
    const worker = await startWorker(project.folder, source, { assets: inProject("node_modules/ranklet/dist/assets") });
    try {
      await assertServes(worker);
    } finally {
      await worker.stop();
    }
  });

  test("wrangler's upload has no weights and is small", { skip: unlessLong("installs the tools") }, (t) => {
    dryRun(project);
    const uploaded = readdirSync(inProject("out")).filter((name) => /\.(js|wasm)$/.test(name));
    const compressed = uploaded.reduce((sum, name) => sum + gzipSync(readFileSync(inProject(`out/${name}`))).length, 0);
    t.diagnostic(`${uploaded.join(", ")}: ${(compressed / 1e6).toFixed(2)} MB compressed`);
    assert.ok(uploaded.some((name) => name.endsWith(".wasm")));
    assert.ok(compressed <= maxUpload, `${compressed} bytes`);
  });

  test("Cloudflare's Vite plugin builds it, with the model in the public folder", { skip: unlessLong("installs the tools") }, () => {
    installTools(project.folder, "vite@8.3.8", "@cloudflare/vite-plugin@1.64.0");
    const config = JSON.parse(readFileSync(inProject("wrangler.json"), "utf8"));
    writeFileSync(inProject("wrangler.json"), JSON.stringify({ ...config, assets: { binding: "ASSETS" } }));
    writeFileSync(
      inProject("vite.config.js"),
      'import { cloudflare } from "@cloudflare/vite-plugin";\nexport default { plugins: [cloudflare()] };\n',
    );
    cpSync(inProject("node_modules/ranklet/dist/assets/default"), inProject("public/default"), { recursive: true });
    const { status, output } = runTool(project.folder, "vite", ["build"]);
    assert.equal(status, 0, output);
    const large = filesOf(inProject("dist"))
      .filter(({ bytes }) => bytes > 1_000_000)
      .map(({ path }) => path.replace(/-[^/]*\.wasm$/, ".wasm"));
    assert.deepEqual(large.sort(), ["client/default/model.safetensors", "ranklet_example_worker/assets/ranklet_relaxed_bg.wasm"]);
  });
});

describe("examples/worker-small", () => {
  let project;
  before(() => (project = installExample("worker-small")));
  after(() => project.remove());

  test("ranks in workerd with the small model in its code", async () => {
    const code = readFileSync(join(project.folder, "index.js"), "utf8");
    const source = ({ ranklet, server, small }) =>
      code.replace('"ranklet"', `"${ranklet}"`).replace('"ranklet/server"', `"${server}"`).replace('"ranklet/small-model"', `"${small}"`);
    const worker = await startWorker(project.folder, source);
    try {
      await assertServes(worker);
    } finally {
      await worker.stop();
    }
  });

  test("wrangler's upload has the model and is below 10 MB", { skip: unlessLong("installs the tools") }, (t) => {
    const output = dryRun(project);
    const [, kib] = /gzip: ([\d.]+) KiB/.exec(output) ?? assert.fail(output);
    t.diagnostic(`${((kib * 1024) / 1e6).toFixed(2)} MB compressed`);
    assert.ok(
      readdirSync(join(project.folder, "out")).some((name) => name.endsWith(".safetensors")),
      output,
    );
    assert.ok(kib * 1024 < maxUploadWithModel, output);
  });
});
