// The service worker of docs/bundlers.md keeps everything that a page needs to rank.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchChromium } from "../support/browsers/chromium.js";
import { read } from "../support/docs/markdown.js";
import { installPacked } from "../support/package/packed.js";
import { installTools, runTool } from "../support/package/tools.js";
import { serveFolder } from "../support/servers/folder.js";
import { unlessLong } from "../support/skips.js";

const app = fileURLToPath(new URL("../support/package/app/", import.meta.url));

test("a page with the service worker of docs/bundlers.md ranks without its server", {
  skip: unlessLong("installs the tools"),
}, async () => {
  const project = installPacked();
  let browser;
  let server;
  try {
    cpSync(app, project.folder, { recursive: true });
    installTools(project.folder, "vite@8.4.0", "vite-plugin-pwa@2.0.0");
    const [, config] = /```js\n(\/\/ vite\.config\.js, with vite-plugin-pwa\n.*?)```/s.exec(read("docs/bundlers.md"));
    writeFileSync(join(project.folder, "vite.config.js"), config);
    const { status, output } = runTool(project.folder, "vite", ["build"]);
    assert.equal(status, 0, output);

    server = await serveFolder(join(project.folder, "dist"), {});
    browser = await launchChromium();
    const context = await browser.newContext();
    const page = await context.newPage();
    const best = page.locator("#results li:first-child", { hasText: "Paris is the capital" });
    await page.goto(server.url);
    await best.waitFor();
    // A service worker is active when it has stored its files.
    await page.evaluate(async () => {
      const { active } = await navigator.serviceWorker.ready;
      const isDone = () => active.state === "activated";
      if (!isDone()) await new Promise((resolve) => active.addEventListener("statechange", () => isDone() && resolve()));
    });
    await server.stop();
    server = undefined;
    await context.setOffline(true);
    await page.reload();
    await best.waitFor();
  } finally {
    await browser?.close();
    await server?.stop();
    project.remove();
  }
});
