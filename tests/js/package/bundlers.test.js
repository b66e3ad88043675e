import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { startServer } from "../support/children/processes.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { installTools, runTestTool, runTool, testTools } from "../support/package/tools.js";
import { serveFolder } from "../support/servers/folder.js";
import { unlessLong } from "../support/skips.js";

const app = fileURLToPath(new URL("../support/package/app/", import.meta.url));

// The policy that docs/bundlers.md recommends.
const policy = { "content-security-policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" };

// The maximum size of the page's own code in bytes. The glue of WebGPU takes 12,000 of them, downloads and the cache 27,500, and
// the connection to the engine of all tabs 6,000, the score cache, fusion, deadlines and documents as YAML, whose bytes are counted
// while they are written, 14,000, explanations, highlights and layers over workers 21,000, and weights that are read while they are
// downloaded 5,000: a fifth of these checks what arrives, and ends a wait for what does not. Advice on names, options and values of
// other libraries takes 2,000, and asynchronous sources of streams, which an abort and `dispose` end, 1,200. The program of the
// tabs' engine is a file of its own.
const codeBudget = 176_300;

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

  test("the package works in a page that Vite built without configuration", async (t) => {
    runTestTool(project.folder, "vite", "build", "--outDir", "by-vite");
    assertOneCopy(filesOf(inProject("by-vite")));
    assertSmall(
      t,
      filesOf(inProject("by-vite")).find(({ path }) => /^assets\/index-.*\.js$/.test(path)),
    );
    await assertServedWorks(inProject("by-vite"));
  });

  test("the package works in a page that esbuild built, with the assets copied next to the bundle", async (t) => {
    runTestTool(project.folder, "esbuild", "app.js", "--bundle", "--minify", "--format=esm", "--outdir=by-esbuild");
    cpSync(inProject("node_modules/ranklet/dist/assets"), inProject("by-esbuild/assets"), { recursive: true });
    cpSync(inProject("index.html"), inProject("by-esbuild/index.html"));
    assertOneCopy(filesOf(inProject("by-esbuild")).filter(({ path }) => !path.startsWith("assets/small/")));
    assertSmall(
      t,
      filesOf(inProject("by-esbuild")).find(({ path }) => path === "app.js"),
    );
    await assertServedWorks(inProject("by-esbuild"));
  });

  test("the package works in a page that esbuild built as a script, which has no import.meta.url", async () => {
    const code = readFileSync(inProject("app.js"), "utf8").replace("const reranker", "(async () => {\nconst reranker");
    writeFileSync(inProject("script.js"), `${code}\n})();`);
    runTestTool(project.folder, "esbuild", "script.js", "--bundle", "--format=iife", "--outfile=as-script/app.js", "--log-level=error");
    cpSync(inProject("node_modules/ranklet/dist/assets"), inProject("as-script/assets"), { recursive: true });
    const html = readFileSync(inProject("index.html"), "utf8").replace('type="module"', "defer");
    writeFileSync(inProject("as-script/index.html"), html);
    await assertServedWorks(inProject("as-script"));
  });

  test("the package works if a development server bundles its code alone in a folder of its own, as Vite 7 does", async () => {
    runTestTool(project.folder, "esbuild", "app.js", "--bundle", "--format=esm", "--outdir=as-vite7/node_modules/.vite/deps");
    cpSync(inProject("node_modules/ranklet/dist/assets"), inProject("as-vite7/node_modules/ranklet/dist/assets"), { recursive: true });
    const html = readFileSync(inProject("index.html"), "utf8").replace("./app.js", "./node_modules/.vite/deps/app.js");
    writeFileSync(inProject("as-vite7/index.html"), html);
    await assertServedWorks(inProject("as-vite7"));
  });

  test("a bundle that loads its own model does not have the default one, and says how to get it", async () => {
    writeFileSync(inProject("own.js"), readFileSync(inProject("app.js"), "utf8").replace('import "ranklet/default-model";\n', ""));
    writeFileSync(inProject("own.html"), readFileSync(inProject("index.html"), "utf8").replace("app.js", "own.js"));
    writeFileSync(inProject("own.config.js"), 'export default { build: { outDir: "own-by-vite", rollupOptions: { input: "own.html" } } };');
    runTestTool(project.folder, "vite", "build", "--config", "own.config.js");
    const large = filesOf(inProject("own-by-vite"))
      .filter(({ bytes }) => bytes > 200_000)
      .map(({ path }) => path.split(".").at(-1));
    assert.deepEqual(large, ["wasm", "wasm"]);
    const server = await serveFolder(inProject("own-by-vite"), policy);
    try {
      const { page, open } = await openDemo(browser, `${server.url}own.html`);
      const failed = new Promise((resolve) => page.once("pageerror", resolve));
      await open();
      const { message } = await failed;
      assert.match(message, /does not have the default model; add the line `import "ranklet\/default-model"`/);
      await page.close();
    } finally {
      await server.stop();
    }
  });

  for (const [tool, packages, args] of [
    ["webpack", ["webpack@5.113.0", "webpack-cli@7.3.1"], ["./app.js", "--mode", "production"]],
    ["rspack", ["@rspack/core@2.2.8", "@rspack/cli@2.2.8"], ["build", "--entry", "./app.js", "--mode", "production"]],
  ]) {
    test(`the package works in a page that ${tool} built without configuration`, { skip: unlessLong("installs the tools") }, async () => {
      installTools(project.folder, ...packages);
      const { status, output } = runTool(project.folder, tool, [...args, "-o", `by-${tool}`]);
      assert.equal(status, 0, output);
      writeFileSync(
        inProject(`by-${tool}/index.html`),
        '<!doctype html><title>A page</title><ol id="results"></ol><script src="main.js"></script>',
      );
      await assertServedWorks(inProject(`by-${tool}`));
    });
  }

  test("the package works in Vite's development server without configuration", async () => {
    const server = await startServer(process.execPath, [join(testTools, "vite"), inProject("."), "--port", "0", "--host", "127.0.0.1"], {
      pattern: /(http:\/\/127\.0\.0\.1:\d+\/)/,
      env: { NO_COLOR: "1" },
    });
    try {
      await assertWorks(server.found);
    } finally {
      await server.stop();
    }
  });

  test("the package works without a bundler, from node_modules", async () => {
    const code = readFileSync(inProject("app.js"), "utf8");
    writeFileSync(
      inProject("plain.js"),
      code.replace('import "ranklet/default-model";\n', "").replace('"ranklet"', '"./node_modules/ranklet/dist/index.js"'),
    );
    writeFileSync(inProject("plain.html"), readFileSync(inProject("index.html"), "utf8").replace("app.js", "plain.js"));
    await assertServedWorks(inProject("."), "plain.html");
  });

  async function assertServedWorks(folder, path = "") {
    const server = await serveFolder(folder, policy);
    try {
      await assertWorks(server.url + path);
    } finally {
      await server.stop();
    }
  }

  /** Asserts that the page ranks in a worker and its console has no errors. */
  async function assertWorks(url) {
    const { page, problems, open } = await openDemo(browser, url);
    // The browser requests an icon for a page that has none.
    await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
    const failed = new Promise((resolve) => page.once("pageerror", resolve));
    await open();
    await Promise.race([page.locator("#results li").nth(3).waitFor(), failed]);
    await Promise.race([page.locator("p").waitFor(), failed]);
    assert.equal(await page.locator("p").textContent(), "shared: tabs, 0 warnings");
    assert.deepEqual(problems, []);
    assert.match(await page.locator("#results li").first().textContent(), /^Paris is the capital of France/);
    assert.ok(page.workers().length > 0);
    await page.close();
  }
});

/** Asserts that both engine files and the model are there once and nothing else is large, so that the code has no copy of them. */
function assertOneCopy(files) {
  const large = files.filter(({ bytes }) => bytes > 1_000_000).map(({ path }) => path.split(".").at(-1));
  assert.deepEqual(large.sort(), ["safetensors", "wasm", "wasm"]);
  for (const [ending, count] of [
    [".wasm", 2],
    [".safetensors", 1],
  ]) {
    assert.equal(files.filter(({ path }) => path.endsWith(ending)).length, count, ending);
  }
  assert.equal(files.filter(({ path }) => /ranklet_relaxed_bg[^/]*\.wasm$/.test(path)).length, 1);
}

function assertSmall(t, { bytes }) {
  t.diagnostic(`the page's code: ${(bytes / 1000).toFixed(1)} kB`);
  assert.ok(bytes <= codeBudget, `${bytes} bytes, over ${codeBudget}`);
}
