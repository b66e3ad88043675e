// The start of the page: neither the documents nor the model wait for each other, and what users do meanwhile is kept.
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { chooseEmbedded, screens, texts, useDocuments, whenRanked, whenReady, withDemo } from "../support/browsers/page.js";

const collection = "**/collection.json";
const question = "What is the capital of France?";
const documents = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "The Eiffel Tower is located in Paris."];

describe("the start of the demo page", () => {
  const suite = withDemo();
  let opened;
  // Without a service worker, whose requests a test cannot hold.
  beforeEach(async () => (opened = await suite.openPage({ ...screens.desktop, serviceWorkers: "block" })));

  const whenLoaded = (page) => page.locator("#load-card").waitFor({ state: "hidden" });

  test("while the page's documents are missing, the model loads, and a question waits; the user's documents stay", async () => {
    const { page, open, close } = opened;
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route(collection, async (route) => {
      await held;
      await route.continue();
    });
    await open();
    await page.fill("#query", question);
    await whenLoaded(page);
    assert.equal(await page.textContent("#status-text"), "Starting…");
    await page.fill("#query", "");
    assert.equal(await page.textContent("#status-text"), "Starting…");
    await page.fill("#query", question);
    await useDocuments(page, documents);
    await whenRanked(page);
    const arrived = page.waitForResponse(collection);
    release();
    await (await arrived).finished();
    await page.waitForTimeout(300);
    assert.equal(await page.textContent("#documents-size"), "3 passages");
    assert.equal((await texts(page, "ranklet-list"))[0], documents[1]);
    await page.getByRole("button", { name: "Back to the bundled collection" }).click();
    await page.locator("#documents-size", { hasText: "156 passages" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "query", "the focus leaves the button that goes away");
    await close();
  });

  test("if the page's documents cannot be loaded, it says so and loads the model, and a second attempt works", async () => {
    const { page, open, close } = opened;
    await page.route(collection, (route) => route.fulfill({ status: 503 }));
    await open();
    const failure = "The documents could not be loaded: collection.json answered 503.";
    await page.locator("#status-text", { hasText: failure }).waitFor();
    assert.equal(await page.textContent("#announcement"), failure);
    await whenLoaded(page);
    await page.fill("#query", "Why do astronauts float?");
    assert.equal(await page.textContent("#status-text"), failure);
    await page.unroute(collection);
    await page.getByRole("button", { name: "Try again" }).click();
    await whenRanked(page);
    assert.match((await texts(page, "ranklet-list"))[0], /astronaut/i);
    await close();
  });

  test("a model that the user chooses before the first one begins to load is kept", async () => {
    const { page, open, close } = opened;
    // The page looks up what it has cached before it loads its first model.
    await page.addInitScript(() => {
      const held = new Promise((resolve) => (globalThis.release = resolve));
      const { match } = CacheStorage.prototype;
      CacheStorage.prototype.match = function (url, options) {
        return options?.ignoreSearch === true ? held : match.call(this, url, options);
      };
    });
    await open();
    await chooseEmbedded(page, "small");
    await whenReady(page);
    await page.evaluate(() => release());
    await page.waitForTimeout(300);
    assert.equal(await page.isVisible("#load-card"), false);
    assert.equal(await page.textContent("#model-name"), "Small model");
    await whenReady(page);
    await close();
  });
});
