// The page's device panel, on a software adapter. The tests do not wait for rankings on it, because they are too slow.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { launchChromiumWithGpu } from "../support/browsers/chromium.js";
import { rank, screenshot, whenReady, withDemo } from "../support/browsers/page.js";

describe("the demo page's device", () => {
  const suite = withDemo(launchChromiumWithGpu);

  test("the page shows the device with its reason and its speed, and users can choose another one", { timeout: 600_000 }, async () => {
    const { page, problems, open, close } = await suite.openPage();
    const items = (list) => page.locator(`#${list} li`).allTextContents();
    await open();
    await whenReady(page);
    assert.equal(await page.textContent("#device-now"), "CPU, q8");
    assert.match(await page.textContent("#device-reason"), /^Why: the GPU is a program on the CPU\.$/);
    await rank(page, "What is the hottest planet?");
    assert.match((await items("device-rates"))[0], /^CPU, q8\s*\d+ passages per second/);

    await page.selectOption("#dtype-choice", "f32");
    await page.waitForFunction(() => document.querySelector("#device-now").textContent === "CPU, f32");
    await rank(page, "What is the coldest planet?");
    assert.equal((await items("device-rates")).length, 2);
    assert.match(await page.textContent("#code"), /Reranker\.load\(undefined, \{ dtype: "f32" \}\)/);

    await page.fill("#query", "");
    await page.selectOption("#dtype-choice", "f16");
    assert.equal(await page.inputValue("#device-choice"), "webgpu");
    await page.waitForFunction(() => document.querySelector("#device-now").textContent === "WebGPU, f16");
    assert.match(await page.textContent("#device-engine"), /swiftshader/);
    await page.click("#device-check summary");
    assert.equal((await items("device-check-pairs")).length, 2);
    await screenshot(page, "device", { fullPage: true });
    assert.deepEqual(problems, []);
    await close();
  });
});
