import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach } from "node:test";

import { assertClose } from "../assert.js";
import { files, id, model, pairs, scoresFrom } from "../models/hub-model.js";
import { startHub } from "../servers/hub.js";
import { startSite } from "../servers/package-site.js";
import { launchChromium, maxStepMs } from "./chromium.js";

const expected = Array.from(await scoresFrom(model.url));

/**
 * Starts a Hub and Chromium for the tests of a file. Each test finds a page, a model on the Hub, and an empty cache.
 * @returns what the tests use: `hub`, `page`, and the functions below
 */
export function withHubPage() {
  const harness = { load, assertRight, loads, fails, offline, open, entries, models };
  let site, browser, context;
  before(async () => {
    const hub = (harness.hub = await startHub());
    hub.publish(id, files);
    site = await startSite({ "/hub/": (request, response) => hub.handle(request, response) });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await Promise.all([site?.stop(), harness.hub?.stop()]);
  });
  beforeEach(async () => {
    context = await browser.newContext();
    harness.page = await open();
  });
  afterEach(async () => {
    await context.close();
    harness.hub.reset();
  });

  async function open() {
    const opened = await context.newPage();
    opened.setDefaultTimeout(maxStepMs);
    // Waits before a request is repeated are random, and so they are short.
    await opened.addInitScript(() => {
      const { random } = Math;
      Math.random = () => random() / 100;
    });
    await opened.goto(site.url);
    return opened;
  }

  /** Loads in a page, by default on the page's own thread. Returns { scores, warnings } or { code, message }. */
  function load(options = {}, { source = id, on = harness.page } = {}) {
    return on.evaluate(
      async ([source, options, pairs]) => {
        const { Reranker } = await import("/pkg/index.js");
        try {
          const reranker = await Reranker.load(source, options);
          const scores = Array.from(await reranker.score(pairs));
          reranker.dispose();
          return { scores, warnings: reranker.info.warnings };
        } catch ({ code, message, stack }) {
          return { code, message, stack };
        }
      },
      [source, { baseUrl: harness.hub.url, workers: 0, ...options }, pairs],
    );
  }

  /** Compares f32 scores, for which a browser may fuse multiplications and additions. */
  function assertRight(outcome) {
    assert.ok(outcome.scores !== undefined, JSON.stringify(outcome));
    assertClose(outcome.scores, expected, 1e-5, "scores");
  }

  async function loads(options, where) {
    const outcome = await load(options, where);
    assertRight(outcome);
  }

  async function fails(code, message, options, where) {
    const outcome = await load(options, where);
    assert.equal(outcome.code, code, JSON.stringify(outcome));
    assert.match(outcome.message, message);
  }

  async function offline(options, where) {
    const { hub } = harness;
    hub.down = true;
    const requested = hub.requests.length;
    const outcome = await load(options, where);
    hub.down = false;
    assert.equal(hub.requests.length, requested, `requests made: ${JSON.stringify(outcome)}`);
    assertRight(outcome);
  }

  /** Returns the URLs of the files in a Cache, without the time of the last use. A file may be stored in pieces. */
  async function entries(name = "ranklet-models-v1") {
    const urls = await harness.page.evaluate(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url), name);
    return [...new Set(urls.map((url) => url.replace(/~\d+$/, "")))].filter((url) => !url.endsWith("ranklet=used"));
  }

  /** Returns the complete models in the cache. */
  async function models() {
    return (await entries()).filter((url) => url.endsWith("ranklet=manifest.json"));
  }

  return harness;
}
