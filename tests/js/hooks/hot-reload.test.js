// Edits of a component in Vite's development server, which keep the page.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchChromium } from "../support/browsers/chromium.js";
import { startServer } from "../support/children/processes.js";
import { frameworkProject } from "../support/package/framework-project.js";
import { until } from "../support/until.js";

const vite = fileURLToPath(new URL("node_modules/.bin/vite", import.meta.url));

describe("hot reload", () => {
  let project;
  let server;
  let browser;
  before(async () => {
    project = frameworkProject("react");
    server = await startServer(process.execPath, [vite, project.folder, "--port", "0", "--host", "127.0.0.1"], {
      pattern: /(http:\/\/127\.0\.0\.1:\d+\/)/,
      env: { NO_COLOR: "1" },
    });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    project?.remove();
  });

  test("an edited component of React keeps the engine, and no worker is left", async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(server.found);
    await page.locator("#query:enabled").waitFor();
    await page.fill("#query", "How do I reset my password?");
    await page.locator("#results li").nth(2).waitFor();
    await page.evaluate(() => (globalThis.isSamePage = true));
    const file = join(project.folder, "src/Search.jsx");
    const code = readFileSync(file, "utf8");
    const max = Math.max(page.workers().length, 1);
    for (const label of ["First", "Second", "Third"]) {
      // The watcher of files drops a change that follows another one at once.
      await until(async () => {
        await page.waitForTimeout(500);
        writeFileSync(file, code.replace("Question", label));
        await page.waitForTimeout(500);
        return page.getByText(label).first().isVisible();
      });
      await page.locator("#query:enabled").waitFor();
      await page.locator("#results li").nth(2).waitFor();
    }
    await page.waitForTimeout(1000);
    assert.equal(await page.evaluate(() => globalThis.isSamePage), true);
    await until(() => page.workers().length <= max + 1);
    await page.close();
  });
});
