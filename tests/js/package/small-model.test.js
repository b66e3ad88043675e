// The small model of the packed package: where it loads from, and that a bundle has only the models that it imports.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { assertClose } from "../support/assert.js";
import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { inspectIsolate } from "../support/children/isolate.js";
import { runNode } from "../support/children/processes.js";
import { startWorker } from "../support/children/workerd.js";
import { filesOf } from "../support/files.js";
import { seed, smallSeed } from "../support/models/fixtures.js";
import { installPacked } from "../support/package/packed.js";
import { runTestTool } from "../support/package/tools.js";
import { serveFolder } from "../support/servers/folder.js";
import { freePort } from "../support/servers/free-port.js";

// The maximum effect of 8-bit activations on these logits.
const tolerance = 0.05;
const { query, documents, logits } = smallSeed();

/** The limit of Cloudflare Workers for an isolate. */
const maxIsolateBytes = 128 * 1024 * 1024;

const score = `const scored = async (reranker) => [...await reranker.score(${JSON.stringify(documents.map((document) => [query, document]))}, { scores: "raw" })];`;
/** A page's program, whose title becomes the logits, or the error's text. */
const program = `import { Reranker } from "ranklet";
${score}
Reranker.load("ranklet/small")
  .then((reranker) => scored((globalThis.reranker = reranker)))
  .then((logits) => (document.title = JSON.stringify(logits)), ({ message }) => (document.title = message));
`;

describe("the small model of the packed package", () => {
  let project;
  let browser;
  const inProject = (path) => join(project.folder, path);
  before(async () => {
    project = installPacked();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    project?.remove();
  });

  test("it loads by its name in Node, without a request, and its files are the same model", () => {
    writeFileSync(
      inProject("small.js"),
      `
import { Reranker } from "ranklet";
${score}
globalThis.fetch = () => { throw new Error("a request"); };
const byName = await Reranker.load("ranklet/small");
const found = [await scored(byName)];
const { default: files } = await import("ranklet/small-model");
for (const model of ["ranklet/small", files]) {
  const reranker = await Reranker.load(model);
  found.push(await scored(reranker));
  reranker.dispose();
}
const problem = await Reranker.load("ranklet/small", { revision: "main" }).catch(({ code, message }) => code + " " + message);
console.log(JSON.stringify({ found, problem }));
byName.dispose();
`,
    );
    const { status, stdout, stderr } = runNode(inProject("small.js"), project.folder);
    assert.equal(stderr, "");
    assert.equal(status, 0);
    const { found, problem } = JSON.parse(stdout);
    for (const values of found) assertClose(values, logits, tolerance, "logits");
    assert.deepEqual(found[1], found[0]);
    assert.match(problem, /^input load: revision is only for a Hub id.* a model of the package$/);
  });

  for (const [tool, args] of [
    ["vite", ["build", "--config", "small.config.js"]],
    ["esbuild", ["small-page.js", "--bundle", "--format=esm", "--outfile=small-by-esbuild/small-page.js"]],
  ]) {
    test(`a page that ${tool} built has the small model alone, and ranks with it`, async () => {
      writePage("small-page", `import "ranklet/small-model";\n${program}`);
      runTestTool(project.folder, tool, ...args);
      const folder = inProject(`small-by-${tool}`);
      if (tool === "esbuild") {
        const assets = inProject("node_modules/ranklet/dist/assets");
        cpSync(assets, join(folder, "assets"), { recursive: true, filter: (path) => !path.startsWith(join(assets, "default")) });
        cpSync(inProject("small-page.html"), join(folder, "small-page.html"));
      }
      const weights = filesOf(folder).filter(({ path }) => path.endsWith(".safetensors"));
      assert.equal(weights.length, 1);
      assert.ok(weights[0].bytes < 8_500_000, `${weights[0].bytes} bytes`);
      await withPage(folder, "small-page.html", async ({ page, requests }) => {
        await page.waitForFunction(() => document.title !== "A page");
        assertClose(JSON.parse(await page.title()), logits, tolerance, "logits");
        assert.equal(requests.filter((url) => url.endsWith(".safetensors")).length, 1);
      });
    });
  }

  test("a bundle without the import says how to get the model", async () => {
    writePage("small-page", program);
    runTestTool(project.folder, "vite", "build", "--config", "small.config.js");
    assert.deepEqual(
      filesOf(inProject("small-by-vite")).filter(({ path }) => path.endsWith(".safetensors")),
      [],
    );
    await withPage(inProject("small-by-vite"), "small-page.html", async ({ page }) => {
      await page.waitForFunction(() => document.title !== "A page");
      assert.match(await page.title(), /^load: .*does not have the small model; add the line `import "ranklet\/small-model"`/);
    });
  });

  test("a page without a bundler loads it by its name", async () => {
    writePage("plain", program.replace('"ranklet"', '"./node_modules/ranklet/dist/index.js"'));
    await withPage(project.folder, "plain.html", async ({ page, requests }) => {
      await page.waitForFunction(() => document.title !== "A page");
      assertClose(JSON.parse(await page.title()), logits, tolerance, "logits");
      assert.deepEqual(
        requests.filter((url) => url.includes("/default/")),
        [],
      );
    });
  });

  for (const [name, entry, model, expected] of [
    ["small", "small", '"ranklet/small"', logits],
    ["default", "model", "", seed().logits],
  ]) {
    test(`in workerd, a Worker with the ${name} model in its code stays within the memory limit of Workers`, async (t) => {
      const inspectorPort = await freePort();
      const worker = await startWorker(
        project.folder,
        (entries) => `
import { Reranker } from "${entries.ranklet}";
import "${entries[entry]}";
let reranker, memory;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (...given) {
  const instance = new Instance(...given);
  memory = instance.exports.memory;
  return instance;
};
${score}
async function answer() {
  reranker ??= await Reranker.load(${model});
  const many = Array.from({ length: 16 }, (_, at) => "a river and the sea ".repeat(12) + at);
  await reranker.rank("q", many);
  return { logits: await scored(reranker), bytes: memory.buffer.byteLength };
}
export default { fetch: async () => Response.json(await answer()) };
`,
        { inspectorPort },
      );
      let isolate;
      try {
        isolate = await inspectIsolate(inspectorPort);
        for (let request = 1; request <= 2; request++) {
          const response = await fetch(worker.url, { signal: AbortSignal.timeout(120_000) });
          assert.equal(response.status, 200, worker.errors());
          const answer = await response.json();
          assertClose(answer.logits, expected, tolerance, "logits");
          assert.ok(answer.bytes > 5e6, `${answer.bytes} bytes of WebAssembly`);
          const bytes = answer.bytes + (await isolate.memory());
          t.diagnostic(
            `at most ${(bytes / 1e6).toFixed(1)} MB after request ${request}, ${(answer.bytes / 1e6).toFixed(1)} MB of them the engine's`,
          );
          assert.ok(bytes < maxIsolateBytes, `${bytes} bytes`);
        }
        assert.equal(worker.errors(), "");
      } finally {
        isolate?.close();
        await worker.stop();
      }
    });
  }

  test("in workerd, load without the import says how to get the model", async () => {
    const worker = await startWorker(
      project.folder,
      ({ ranklet }) => `
import { Reranker } from "${ranklet}";
export default { fetch: async () => new Response(await Reranker.load("ranklet/small").catch(({ code, message }) => code + " " + message)) };
`,
    );
    try {
      const text = await (await fetch(worker.url, { signal: AbortSignal.timeout(120_000) })).text();
      assert.match(
        text,
        /^unsupported load: a Worker has no files to read the small model from; .*import "ranklet\/small-model".*Reranker\.load\("ranklet\/small"\)/,
      );
    } finally {
      await worker.stop();
    }
  });

  function writePage(name, code) {
    writeFileSync(inProject(`${name}.js`), code);
    writeFileSync(inProject(`${name}.html`), `<!doctype html><title>A page</title><script type="module" src="./${name}.js"></script>`);
    writeFileSync(
      inProject("small.config.js"),
      `export default { build: { outDir: "small-by-vite", rollupOptions: { input: "${name}.html" } } };`,
    );
  }

  async function withPage(folder, path, check) {
    const server = await serveFolder(folder, {});
    const { page, requests, open } = await openDemo(browser, server.url + path);
    try {
      await open();
      await check({ page, requests });
    } finally {
      await page.close();
      await server.stop();
    }
  }
});
