// Reranker.shared in several tabs of Firefox, and in several frames of WebKit, whose driver controls one window.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { launchFirefox } from "../support/browsers/firefox.js";
import { launchWebKit, noWebKit } from "../support/browsers/webkit.js";
import { checkpoint } from "../support/models/fixtures.js";
import { bundlePath, sendBundle } from "../support/package/bundled.js";
import { sendFixture, startSite } from "../support/servers/package-site.js";

const small = `/fixtures/${checkpoint((labels) => labels === 1).name}/`;

/** Runs in a page: loads the shared reranker and ranks. */
async function rankShared(small) {
  const { Reranker } = await import("/pkg/bundled.js");
  globalThis.reranker ??= await Reranker.shared(small);
  const { backend, warnings } = globalThis.reranker.info;
  return { shared: backend.shared, warnings, results: await globalThis.reranker.rank("q", ["a", "b c", "d"]) };
}

describe("Reranker.shared in other browsers", { timeout: 600_000 }, () => {
  test("two tabs of Firefox have one engine, and the second one works after the first is closed", async () => {
    const site = await startSite({ "/fixtures/": sendFixture, [bundlePath]: sendBundle });
    const browser = await launchFirefox();
    try {
      const open = async () => {
        const page = await browser.newPage();
        await page.goto(site.url);
        return page;
      };
      const [first, second] = [await open(), await open()];
      const expected = await first.evaluate(rankShared, small);
      assert.deepEqual([expected.shared, expected.warnings], ["tabs", []]);
      assert.deepEqual(await second.evaluate(rankShared, small), expected);
      assert.equal(site.requests.filter((path) => path.endsWith("model.safetensors")).length, 1);
      await first.close();
      assert.deepEqual(await second.evaluate(rankShared, small), expected);
    } finally {
      await browser.close();
      await site.stop();
    }
  });

  test("two frames of WebKit have one engine, and the second one works after the first is removed", { skip: noWebKit }, async () => {
    const send = (type, text) => (_, response) => response.setHeader("content-type", type).end(text);
    const site = await startSite({
      "/fixtures/": sendFixture,
      [bundlePath]: sendBundle,
      "/frame.html": send("text/html", "<!doctype html><script src=frame.js></script>"),
      "/frame.js": send("text/javascript", rankShared.toString()),
    });
    const browser = await launchWebKit();
    try {
      const page = await browser.newPage();
      await page.goto(site.url);
      const answers = await page.evaluate(async (small) => {
        const open = () =>
          new Promise((resolve) => {
            const frame = document.createElement("iframe");
            frame.src = "/frame.html";
            frame.onload = () => resolve(frame);
            document.body.append(frame);
          });
        const frames = [await open(), await open()];
        const answers = [];
        for (const frame of frames) answers.push(await frame.contentWindow.rankShared(small));
        frames[0].remove();
        return [...answers, await frames[1].contentWindow.rankShared(small)];
      }, small);
      const [first] = answers;
      assert.deepEqual([first.shared, first.warnings], ["tabs", []]);
      assert.deepEqual(answers, [first, first, first]);
      assert.equal(site.requests.filter((path) => path.endsWith("model.safetensors")).length, 1);
    } finally {
      await browser.close();
      await site.stop();
    }
  });
});
