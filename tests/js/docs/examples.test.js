import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { installPacked } from "../support/package/packed.js";
import { runTestTool } from "../support/package/tools.js";
import { inRepository } from "../support/paths.js";
import { serveFolder } from "../support/servers/folder.js";

const question = "How do I reset my password?";
const answer = "Open Settings, choose Account, then select Forgot password.";

/** A project that has the packed package and the files of an example, but for its manifest. */
function projectOf(example) {
  const project = installPacked();
  const filter = (path) => !path.endsWith("package.json") && !path.includes("node_modules");
  cpSync(inRepository(`examples/${example}`), project.folder, { recursive: true, filter });
  return project;
}

describe("examples/node", () => {
  let project;
  before(() => (project = projectOf("node")));
  after(() => project.remove());

  const run = (...args) => spawnSync(process.execPath, ["rerank.js", ...args], { cwd: project.folder, encoding: "utf8", timeout: 120_000 });

  test("ranks the lines of a file", () => {
    const { status, stdout, stderr } = run(question, inRepository("examples/documents.txt"));
    assert.equal(status, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.match(lines[0], /^0\.\d{3} /);
    assert.ok(lines[0].endsWith(answer), stdout);
    assert.match(stderr, /^6 documents in \d+ ms\n$/);
  });

  test("explains its usage", () => {
    const { status, stderr } = run(question);
    assert.equal(status, 2);
    assert.match(stderr, /^usage: node rerank\.js /);
  });
});

describe("examples/browser", () => {
  let project;
  let browser;
  let server;
  before(async () => {
    project = projectOf("browser");
    runTestTool(project.folder, "vite", "build");
    server = await serveFolder(join(project.folder, "dist"), {});
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    project?.remove();
  });

  test("ranks again at each key press, without an error", async () => {
    const { page, problems, open } = await openDemo(browser, server.url);
    await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
    await open();
    await page.locator("#query:enabled").waitFor();
    await page.locator("#query").pressSequentially(question);
    await page.locator("#results li", { hasText: answer }).first().waitFor();
    await page.waitForFunction((answer) => document.querySelector("#results li:first-child").textContent.endsWith(answer), answer);
    await page.locator("#results li").nth(2).waitFor(); // The first rankings may have fewer.
    assert.equal(await page.locator("#results li").count(), 3);
    assert.deepEqual(problems, []);
  });
});
