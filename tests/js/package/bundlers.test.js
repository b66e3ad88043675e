import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { startServer } from "../support/children/processes.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { serveFolder } from "../support/servers/folder.js";

const tools = fileURLToPath(new URL("../node_modules/.bin/", import.meta.url));
const app = fileURLToPath(new URL("../support/package/app/", import.meta.url));

// What the README says is enough.
const policy = { "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };

// What the page's own code may weigh, in bytes: small beside what it loads. 19,000 of them are the glue of WebGPU.
const codeBudget = 86_000;

describe("the packed package in a page", () => {
  let project;
  let browser;
  const inProject = (path) => join(project.folder, path);
  before(async () => {
    project = installPacked();
    cpSync(app, project.folder, { recursive: true });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    project?.remove();
  });

  test("works when Vite has built it, with nothing configured", async (t) => {
    run("vite", ["build", "--outDir", "by-vite"]);
    assertOneCopy(filesOf(inProject("by-vite")));
    assertSmall(t, filesOf(inProject("by-vite")).find(({ path }) => /^assets\/index-.*\.js$/.test(path)));
    await assertServedWorks(inProject("by-vite"));
  });

  test("works when esbuild has built it and the assets are copied beside the bundle", async (t) => {
    run("esbuild", ["app.js", "--bundle", "--minify", "--format=esm", "--outdir=by-esbuild"]);
    cpSync(inProject("node_modules/ranklet/dist/assets"), inProject("by-esbuild/assets"), { recursive: true });
    cpSync(inProject("index.html"), inProject("by-esbuild/index.html"));
    assertOneCopy(filesOf(inProject("by-esbuild")));
    assertSmall(t, filesOf(inProject("by-esbuild")).find(({ path }) => path === "app.js"));
    await assertServedWorks(inProject("by-esbuild"));
  });

  test("works in Vite's development server, with nothing configured", async () => {
    const server = await startServer(process.execPath, [join(tools, "vite"), inProject("."), "--port", "0", "--host", "127.0.0.1"], {
      pattern: /(http:\/\/127\.0\.0\.1:\d+\/)/,
      env: { NO_COLOR: "1" },
    });
    try {
      await assertWorks(server.found);
    } finally {
      await server.stop();
    }
  });

  test("works without a bundler, from where npm has put it", async () => {
    const code = readFileSync(inProject("app.js"), "utf8");
    writeFileSync(inProject("plain.js"), code.replace('"ranklet"', '"./node_modules/ranklet/dist/index.js"'));
    writeFileSync(inProject("plain.html"), readFileSync(inProject("index.html"), "utf8").replace("app.js", "plain.js"));
    await assertServedWorks(inProject("."), "plain.html");
  });

  function run(tool, args) {
    const { status, stdout, stderr } = spawnSync(join(tools, tool), args, { cwd: project.folder, encoding: "utf8" });
    assert.equal(status, 0, stdout + stderr);
  }

  async function assertServedWorks(folder, path = "") {
    const server = await serveFolder(folder, policy);
    try {
      await assertWorks(server.url + path);
    } finally {
      await server.stop();
    }
  }

  /** The page ranks in a worker, and nothing is wrong on its console. */
  async function assertWorks(url) {
    const { page, problems, open } = await openDemo(browser, url);
    // Not the package's business; a page without an icon has the browser ask for one.
    await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
    const failed = new Promise((resolve) => page.once("pageerror", resolve));
    await open();
    await Promise.race([page.locator("#results li").nth(3).waitFor(), failed]);
    assert.deepEqual(problems, []);
    assert.match(await page.locator("#results li").first().textContent(), /^Paris is the capital of France/);
    assert.ok(page.workers().length > 0);
    await page.close();
  }
});

/** What is large is there once, the engine in both its forms; nothing else is large, so no copy hides in the code. */
function assertOneCopy(files) {
  const large = files.filter(({ bytes }) => bytes > 1_000_000).map(({ path }) => path.split(".").at(-1));
  assert.deepEqual(large.sort(), ["safetensors", "wasm", "wasm"]);
  for (const [ending, count] of [[".wasm", 2], [".safetensors", 1]]) {
    assert.equal(files.filter(({ path }) => path.endsWith(ending)).length, count, ending);
  }
  assert.equal(files.filter(({ path }) => /ranklet_relaxed_bg[^/]*\.wasm$/.test(path)).length, 1);
}

function assertSmall(t, { bytes }) {
  t.diagnostic(`the page's code: ${(bytes / 1000).toFixed(1)} kB`);
  assert.ok(bytes <= codeBudget, `${bytes} bytes, over ${codeBudget}`);
}
