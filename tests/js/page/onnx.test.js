// The page with a repository of transformers.js on its Hub: one ONNX file is downloaded, ranks, and is kept.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { chooseHub, openPage, rank, texts, whenCached, whenReady, withDemo } from "../support/browsers/page.js";
import { repository, smallFiles } from "../support/models/onnx.js";
import { startHub } from "../support/servers/hub.js";

const id = "Xenova/tiny-reranker";
/** Loads the repository and waits until it is the page's model. */
async function choose(page) {
  await chooseHub(page, id);
  await page.locator("#model-name", { hasText: new RegExp(`^${id}$`) }).waitFor();
}

describe("the demo page with a repository of transformers.js", () => {
  let hub;
  before(async () => {
    hub = await startHub();
    hub.publish(id, repository);
    hub.lists = true;
  });
  const suite = withDemo(launchChromium, () => ({ RANKLET_HUB: hub.url }));
  after(() => hub.stop());

  test("the page loads a repository with ONNX files by its id, without one failed request, and later without a network", async () => {
    const { page, context, problems, open, close } = await openPage(suite.browser, suite.demo.url);
    const downloaded = [];
    page.on("response", async (response) => {
      const { pathname } = new URL(response.url());
      if (pathname.startsWith(`/hub/${id}/`))
        downloaded.push({
          name: /resolve\/[^/]+\/(.*)/.exec(pathname)[1],
          status: response.status(),
          bytes: Number(response.headers()["content-length"]),
        });
    });
    await open();
    await whenReady(page);
    await choose(page);
    await rank(page, "Why do astronauts float?");
    const order = await texts(page, "ranklet-list");
    assert.ok(order.length > 0);

    const wanted = [...smallFiles, "onnx/model.onnx"];
    const requested = hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)[1]);
    assert.deepEqual(requested.sort(), wanted.toSorted(), "the Hub was asked for nothing else");
    assert.deepEqual(
      hub.listings.map(({ path }) => path.split("?", 1)[0]),
      [`/api/models/${id}/revision/main`],
    );
    assert.deepEqual(downloaded.map(({ name }) => name).sort(), wanted.toSorted());
    for (const { name, status, bytes } of downloaded) assert.deepEqual([status, bytes], [200, repository.get(name).length], name);
    assert.deepEqual(problems, []);

    await whenCached(page, "model.safetensors", "ranklet_relaxed_bg.wasm");
    await context.setOffline(true);
    await page.reload();
    await whenReady(page);
    await choose(page);
    await rank(page, "Why do astronauts float?");
    assert.deepEqual(await texts(page, "ranklet-list"), order);
    assert.deepEqual(problems, []);
    await close();
  });
});
