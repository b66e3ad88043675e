// What the page shows if the model is loaded but a call to it fails.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { rank, texts, useDocuments, whenRanked, whenReady, withDemo } from "../support/browsers/page.js";

const question = "What is the capital of France?";
const documents = [
  "Berlin is large. It lies in Germany.",
  "Paris is the capital of France. It is old.",
  "The tower is in Paris. It is high.",
];

describe("failures on the demo page", () => {
  const suite = withDemo();
  let opened;
  beforeEach(async () => {
    opened = await suite.openPage();
    await opened.page.addInitScript(failRequests);
    await opened.open();
    await whenReady(opened.page);
    await useDocuments(opened.page, documents);
    await whenReady(opened.page);
  });
  afterEach(async () => {
    assert.equal(await opened.page.isVisible("#load-card"), false, "the model is loaded");
    await opened.close();
  });

  const status = (page, text) => page.locator("#status-text", { hasText: text }).waitFor();
  const reason = "there is not enough memory (out-of-memory). Close other tabs, or choose a smaller model.";

  test("a ranking that fails is reported, and can be repeated", async () => {
    const { page } = opened;
    await fail(page, "score");
    await page.fill("#query", question);
    await status(page, `The ranking failed: ${reason}`);
    assert.equal(await page.textContent("#ranking-state"), "failed, incomplete");
    assert.equal(await page.textContent("#announcement"), `The ranking failed: ${reason}`);
    await fail(page, undefined);
    await page.getByRole("button", { name: "Rank again" }).click();
    await whenRanked(page);
    assert.equal((await texts(page, "ranklet-list"))[0], documents[1]);
  });

  test("documents that cannot be prepared are reported, and preparing them can be repeated", async () => {
    const { page } = opened;
    await fail(page, "prepare");
    await useDocuments(page, documents.slice(0, 2));
    await status(page, `The documents could not be prepared: ${reason}`);
    await page.fill("#query", question);
    await status(page, `Keywords found 1 passage. The documents could not be prepared: ${reason}`);
    await fail(page, undefined);
    await page.getByRole("button", { name: "Try again" }).click();
    await whenRanked(page);
    await status(page, "Ranked 2 passages");
  });

  test("while documents cannot be ranked, the card of a model that could not be loaded can be closed", async () => {
    const { page } = opened;
    await fail(page, "prepare");
    await useDocuments(page, documents.slice(0, 2));
    await status(page, `The documents could not be prepared: ${reason}`);
    await page.click("#choose-model");
    await page.fill("#model-url", "./missing/");
    await page.getByRole("button", { name: "Load this model" }).click();
    await page.getByRole("button", { name: "Keep Embedded model" }).click();
    await page.locator("#load-card").waitFor({ state: "hidden" });
  });

  test("best sentences that cannot be marked are reported, and the ranking stays", async () => {
    const { page } = opened;
    await fail(page, "sentences");
    await rank(page, question);
    await status(page, `The best sentences could not be marked: ${reason}`);
    assert.equal(await page.textContent("#ranking-state"), "final");
  });

  test("screen readers hear that a comparison failed", async () => {
    const { page } = opened;
    await rank(page, question);
    await page.locator("#ranklet-list mark").first().waitFor();
    await page.locator("#ranklet-list .passage").nth(1).click();
    await page.getByText(/^What each word adds to the logit, from/).waitFor();
    await fail(page, "plan");
    await page.getByRole("button", { name: "Why not first?" }).click();
    await page
      .getByRole("dialog")
      .getByRole("status")
      .getByText("The comparison failed: there is not enough memory (out-of-memory).")
      .waitFor();
    await page.keyboard.press("Escape");
  });
});

/** Runs in the page: the workers answer requests of the type `failing` with an error. */
function failRequests() {
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (request, ...rest) {
    if (globalThis.failing === undefined || request?.type !== globalThis.failing) return postMessage.call(this, request, ...rest);
    const data = { type: "failed", call: request.call, code: "out-of-memory", message: "there is not enough memory", fatal: false };
    setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })));
  };
}

/** Chooses the type of requests that fail; `undefined` ends it. */
function fail(page, type) {
  return page.evaluate((failing) => (globalThis.failing = failing), type);
}
