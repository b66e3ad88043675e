// The page ranks with the small model until the embedded one is loaded.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import {
  chooseEmbedded,
  openPage,
  rank,
  screens,
  screenshot,
  texts,
  whenCached,
  whenRanked,
  whenReady,
  withDemo,
} from "../support/browsers/page.js";
import { startProxy } from "../support/servers/proxy.js";

const weights = "/assets/default/model.safetensors";
const smallWeights = "/assets/small/model.safetensors";
const question = "Why do astronauts float?";

describe("the demo page's small model", () => {
  const suite = withDemo();
  let proxy;
  beforeEach(async () => (proxy = await startProxy(suite.demo.url)));
  afterEach(() => proxy.stop());

  const whenSmall = (page) => page.getByText("The small model ranks until the larger one is loaded.").waitFor();
  const again = (page) => page.getByRole("button", { name: "Rank again" });
  const modelName = (page) => page.textContent("#model-name");
  /** The model that scored the results, as their column says. */
  const scoredBy = (page) => page.textContent("#ranklet-about");
  /** The places of everything but the lists and the texts inside fixed boxes that change. */
  const places = (page) =>
    page.evaluate(() => {
      const changing = "#model-name, #model-size, #requests *, #device-now, #device-engine, .figure *, dd";
      return [...document.querySelectorAll("header *, main *, footer *")]
        .filter((element) => !element.matches(changing))
        .map((element) => {
          const { x, y, width, height } = element.getBoundingClientRect();
          return [element.id || element.className || element.tagName, x, y, width, height].join();
        });
    });
  /** Holds the larger model until the returned function is called. */
  const holdLarger = () => {
    let release;
    proxy.faults.set(weights, { share: 0.5, until: new Promise((resolve) => (release = resolve)) });
    return release;
  };
  /** Waits until rows have moved to their places, and returns them. */
  const settled = async (page) => {
    await page.waitForFunction(() => document.getAnimations().length === 0);
    for (let last = await places(page); ; ) {
      await page.waitForTimeout(300);
      const now = await places(page);
      if (now.join() === last.join()) return now;
      last = now;
    }
  };

  for (const screen of ["desktop", "phone"]) {
    test(`on a ${screen}, results by the small model stay until the user asks for the larger one`, async () => {
      const release = holdLarger();
      const { page, problems, open, close } = await openPage(suite.browser, proxy.url, screens[screen]);
      await open();
      await whenSmall(page);
      assert.equal(await modelName(page), "Small model");
      assert.match(await page.textContent("#model-size"), /^8\.1 MB, q8$/);
      await rank(page, question);
      assert.equal(await scoredBy(page), "Small model (bert), 13.3 million parameters");
      assert.match(await page.textContent("#code"), /import "ranklet\/small-model";\s.*Reranker\.load\("ranklet\/small"\)/s);
      await page.locator("#ranklet-list mark").first().waitFor();
      const shown = await settled(page);
      const order = await texts(page, "ranklet-list");
      await page.evaluate(() => (shifts.length = 0));
      assert.equal(await again(page).isVisible(), false, "the larger model is still loading");
      release();
      await again(page).waitFor();
      await screenshot(page, `small-model-${screen}`);
      assert.deepEqual(await places(page), shown);
      assert.deepEqual(await texts(page, "ranklet-list"), order);
      assert.deepEqual(await page.evaluate(() => shifts), []);
      assert.equal(await modelName(page), "Small model");
      if (screen === "phone") await page.setViewportSize({ width: 320, height: 640 });
      const [{ x, width }, viewport] = [await page.locator("#larger-model").boundingBox(), page.viewportSize().width];
      assert.ok(x >= 0 && x + width <= viewport, `the offer fits the screen: ${x} to ${x + width} of ${viewport}`);
      await again(page).click();
      await page.locator("#model-name", { hasText: "Embedded model" }).waitFor();
      await whenRanked(page);
      assert.equal(await scoredBy(page), "Embedded model (bert), 22.7 million parameters");
      assert.match(await page.textContent("#code"), /import "ranklet\/default-model";\s.*Reranker\.load\(\)/s);
      assert.equal(await again(page).isVisible(), false);
      assert.deepEqual(problems, []);
      await close();
    });

    test(`on a ${screen} without results, the larger model replaces the small one, and nothing moves`, async () => {
      const release = holdLarger();
      const { page, open, close } = await openPage(suite.browser, proxy.url, screens[screen]);
      await open();
      await whenSmall(page);
      const shown = await settled(page);
      await page.evaluate(() => (shifts.length = 0));
      await page.keyboard.press("Escape");
      release();
      await whenReady(page);
      assert.equal(await modelName(page), "Embedded model");
      assert.deepEqual(await places(page), shown);
      assert.deepEqual(await page.evaluate(() => shifts), []);
      await close();
    });
  }

  test("the next question is ranked by the larger model that waits", async () => {
    const { page, problems, open, close } = await openPage(suite.browser, proxy.url);
    const release = holdLarger();
    await open();
    await whenSmall(page);
    await rank(page, question);
    release();
    await again(page).waitFor();
    await page.fill("#query", "What does andante mean?");
    await page.locator("#model-name", { hasText: "Embedded model" }).waitFor();
    await whenRanked(page);
    assert.equal(await modelName(page), "Embedded model");
    assert.deepEqual(problems, []);
    await close();
  });

  test("if the larger model cannot be loaded, the page says why and keeps the small one", async () => {
    proxy.faults.set(weights, { status: 503 });
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await page.locator('[data-state="failed"]').waitFor();
    assert.match(await page.textContent("#load-detail"), /model\.safetensors answered 503/);
    assert.equal(await page.textContent("#load-title"), "The larger model could not be loaded");
    await page.getByRole("button", { name: "Keep Small model" }).click();
    await page.getByText("Ready: ").waitFor();
    await rank(page, question);
    assert.match(await scoredBy(page), /^Small model /);
    await close();
  });

  test("the larger model arrives although another model was canceled or could not be loaded", async () => {
    const release = holdLarger();
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenSmall(page);
    await chooseEmbedded(page, "embedded");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.click("#choose-model");
    await page.fill("#model-url", "./missing/");
    await page.getByRole("button", { name: "Load this model" }).click();
    await page.getByRole("button", { name: "Keep Small model" }).click();
    release();
    await whenReady(page);
    assert.equal(await modelName(page), "Embedded model");
    await close();
  });

  test("a later visit starts with the larger model, which the browser has", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    await whenCached(page, "default/model.safetensors");
    await page.reload();
    await whenReady(page);
    assert.equal(await modelName(page), "Embedded model");
    const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname));
    assert.ok(loaded.includes(weights) && !loaded.includes(smallWeights), loaded.join());
    await close();
  });

  test("the dialog chooses the small model, which then stays", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    await chooseEmbedded(page, "small");
    await page.locator("#model-name", { hasText: "Small model" }).waitFor();
    await whenReady(page);
    await page.fill("#query", question);
    await whenRanked(page);
    assert.match(await scoredBy(page), /^Small model /);
    assert.equal(await again(page).isVisible(), false);
    await close();
  });
});
