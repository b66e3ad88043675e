// The hooks of React in a browser, under StrictMode.
import assert from "node:assert/strict";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launchChromium } from "../support/browsers/chromium.js";
import { quietFlags } from "../support/browsers/chromium-flags.js";
import { frameworkProject } from "../support/package/framework-project.js";
import { serveFolder } from "../support/servers/folder.js";
import { isLong, unlessProc } from "../support/skips.js";

const query = "What is the capital of France?";
const paris = "Paris is the capital of France and its largest city.";
const rounds = isLong ? 50 : 10;
const maxMegabytes = 30;

describe("hooks of React", () => {
  let project;
  let server;
  let browser;
  let page;
  let problems;
  before(async () => {
    project = frameworkProject();
    cpSync(fileURLToPath(new URL("app", import.meta.url)), project.folder, { recursive: true });
    const { status, output } = project.run("vite", "build");
    assert.equal(status, 0, output);
    server = await serveFolder(join(project.folder, "dist"), {});
    browser = await launchChromium([...quietFlags, "--js-flags=--expose-gc"]);
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
    project?.remove();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    await page.goto(server.url);
    await page.waitForFunction(() => globalThis.mount !== undefined);
  });
  afterEach(async () => {
    await page.close();
    assert.deepEqual(problems, []);
  });

  const mount = (name, props, copies) => page.evaluate((given) => mount(...given), [name, props, copies]);
  const unmount = () => page.evaluate(() => unmount());
  const whenBest = (best) =>
    page.waitForFunction((best) => read().length > 0 && read().every((state) => state.best === best && !state.ranking), best);
  /** Waits until so many workers are alive. */
  async function whenWorkers(count) {
    for (let round = 0; page.workers().length !== count; round++) {
      assert.ok(round < 1000, `${page.workers().length} workers are alive, not ${count}`);
      await page.evaluate(() => globalThis.gc());
      await page.waitForTimeout(50);
    }
  }

  test("components share an engine, rank once per input, and end it when all are unmounted", async () => {
    await mount("Hook", { query, options: { workers: 1 } }, 3);
    await whenBest(paris);
    assert.equal(page.workers().length, 1);
    const states = await page.evaluate(() => states.length);
    await page.waitForTimeout(200);
    assert.equal(await page.evaluate(() => states.length), states, "no further state");
    assert.ok(states < 300, `${states} states`);
    await mount("Hook", { query, options: { workers: 1 } }, 1);
    await page.waitForTimeout(100);
    assert.equal(page.workers().length, 1);
    await unmount();
    await whenWorkers(0);
  });

  test("a component that is unmounted while it loads leaves no worker", async () => {
    for (let round = 0; round < 5; round++) {
      await mount("Hook", { query });
      await page.waitForTimeout(50 * round);
      await unmount();
    }
    await whenWorkers(0);
  });

  test("the latest query wins, and earlier ones are aborted without an error", async () => {
    await mount("Hook", { query: "q", options: { workers: 1 } });
    await page.waitForFunction(() => globalThis.reranker !== undefined);
    for (const text of ["What", "What is the capital", query]) await mount("Hook", { query: text, count: 400, options: { workers: 1 } });
    await whenBest(paris);
    const seen = await page.evaluate(() => states);
    assert.ok(seen.every(({ code }) => code === undefined));
    assert.ok(
      seen.some(({ ranking, done }) => ranking && done > 0),
      "progress",
    );
    await mount("Hook", { query: "", options: { workers: 1 } });
    await page.waitForFunction(() => read()[0].best === undefined);
  });

  test("cancel ends a ranking and keeps the last results; an error is a state", async () => {
    await mount("Hook", { query, options: { workers: 1 } });
    await whenBest(paris);
    await mount("Hook", { query: "the capital of Germany", count: 5000, options: { workers: 1 } });
    await page.waitForFunction(() => read()[0].ranking);
    await page.evaluate(() => cancel());
    await page.waitForFunction(() => !read()[0].ranking);
    assert.equal((await page.evaluate(() => read()))[0].best, paris);
    await mount("Hook", { query, model: "/missing/" });
    await page.waitForFunction(() => read()[0].code === "network");
    assert.equal((await page.evaluate(() => read()))[0].loading, false);
  });

  test("a changed option loads again and ends the engine before", async () => {
    await mount("Hook", { query, options: { workers: 1 } });
    await whenBest(paris);
    await mount("Hook", { query, options: { workers: 2 } });
    await whenWorkers(2);
    await whenBest(paris);
  });

  test("rerankers that a component forgets are freed when they are collected", async () => {
    for (let round = 0; round < 3; round++) {
      await mount("Forgetful", { query });
      await page.waitForTimeout(100);
      await unmount();
    }
    await page.waitForTimeout(1000);
    await whenWorkers(0);
  });

  test(`${rounds} mounts under StrictMode, and as many forgotten rerankers, leave no memory`, {
    timeout: 600_000,
    skip: unlessProc("status"),
  }, async (t) => {
    const session = await browser.newBrowserCDPSession();
    const megabytes = async () => {
      await page.evaluate(() => globalThis.gc());
      await page.waitForTimeout(500);
      const { processInfo } = await session.send("SystemInfo.getProcessInfo");
      const sizes = processInfo
        .filter(({ type }) => type === "renderer")
        .map(({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1] ?? 0));
      return Math.max(...sizes) / 1000;
    };
    for (const name of ["Hook", "Forgetful"]) {
      const round = async () => {
        await mount(name, { query });
        await page.waitForFunction((paris) => read()[0]?.best === paris, paris);
        await unmount();
        await whenWorkers(0);
      };
      for (let warmUp = 0; warmUp < 5; warmUp++) await round();
      const before = await megabytes();
      for (let count = 0; count < rounds; count++) await round();
      // A busy machine takes its time to free what the last workers had.
      let after = await megabytes();
      for (let wait = 0; wait < 20 && after - before >= maxMegabytes; wait++) after = await megabytes();
      t.diagnostic(`${name}: ${before.toFixed(0)} MB before, ${after.toFixed(0)} MB after`);
      assert.ok(before > 0, "the memory of the renderer was read");
      assert.ok(after - before < maxMegabytes, `${name}: ${before} MB before, ${after} MB after`);
    }
  });
});
