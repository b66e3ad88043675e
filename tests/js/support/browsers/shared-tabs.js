// Tabs of Chromium that share a reranker: a browser and a site for all tests of a file, and a context for each test.
import { after, afterEach, before, beforeEach } from "node:test";

import { checkpoint } from "../models/fixtures.js";
import { bundlePath, sendBundle } from "../package/bundled.js";
import { sendFixture, startSite } from "../servers/package-site.js";
import { until } from "../until.js";
import { launchChromium, lengthenTimer, maxStepMs } from "./chromium.js";

export const query = "how do bees survive the winter";
export const fixture = checkpoint((labels) => labels === 1);
export const small = `/fixtures/${fixture.name}/`;

/** Registers the hooks of a suite; returns functions to open tabs and to call them. */
export function withTabs() {
  let site;
  let browser;
  let context;
  before(async () => {
    site = await startSite({ "/fixtures/": sendFixture, [bundlePath]: sendBundle });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });
  beforeEach(async () => (context = await browser.newContext()));
  afterEach(async () => {
    await context.close();
    site.requests.length = 0;
  });

  /** Opens a tab with functions that tests call in it. */
  async function openTab(prepare = () => {}) {
    const tab = await context.newPage();
    tab.setDefaultTimeout(maxStepMs);
    // The tab waits ten seconds for the shared worker to start.
    await lengthenTimer(tab, 10_000);
    await tab.addInitScript(prepare);
    await tab.goto(site.url);
    await tab.evaluate(async (small) => {
      const { Reranker } = await import("/pkg/bundled.js");
      Object.assign(globalThis, {
        Reranker,
        small,
        defaultModel: "/pkg/assets/default/",
        documents: Array.from(
          { length: 60 },
          (_, at) => `Document ${at} tells how bees keep their hive warm in winter, and that ${at * 7919} of them take turns.`,
        ),
        share: async (options, model = small) => {
          globalThis.reranker = await Reranker.shared(model, options);
          return { backend: reranker.info.backend, warnings: reranker.info.warnings };
        },
        all: async (parts) => {
          const list = [];
          for await (const part of parts) list.push(part);
          return list;
        },
        errorOf: (promise) =>
          promise.then(
            () => ({}),
            ({ name, code, message }) => ({ name, code, message }),
          ),
      });
    }, small);
    return tab;
  }

  const share = (tab, options = {}) => tab.evaluate((options) => share(options), options);
  const ranked = (tab) => tab.evaluate((query) => reranker.rank(query, documents), query);
  const dispose = (tab) => tab.evaluate(() => reranker.dispose());

  /** Waits until no worker or tab holds a lock, so that the shared worker and its workers have ended. */
  function whenEnded(tab) {
    return until(() => tab.evaluate(async () => (await navigator.locks.query()).held.length === 0));
  }

  return {
    openTab,
    share,
    ranked,
    dispose,
    whenEnded,
    get site() {
      return site;
    },
    get browser() {
      return browser;
    },
    get context() {
      return context;
    },
  };
}
