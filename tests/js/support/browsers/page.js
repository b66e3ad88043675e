import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";

import { inRepository } from "../paths.js";
import { startDemo } from "../servers/demo.js";
import { launchChromium, lengthenTimer, openDemo } from "./chromium.js";

const screenshotFolder = inRepository(".build/screenshots");

/** Screens on which the page is tested. */
export const screens = {
  desktop: { viewport: { width: 1280, height: 900 } },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2 },
  "phone-dark": { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2, colorScheme: "dark" },
};

/**
 * Starts the demo's server and a browser before the tests of a suite, and stops both after them.
 * @param {() => Record<string, string>} environment of the server, read when it starts
 * @returns {{ demo, browser, openPage }} `demo` and `browser` are set while tests run; `openPage(options)` opens the page
 */
export function withDemo(launch = launchChromium, environment = () => ({})) {
  const suite = { openPage: (options) => openPage(suite.browser, suite.demo.url, options) };
  before(async () => {
    suite.demo = await startDemo(environment());
    suite.browser = await launch();
  });
  after(async () => {
    await suite.browser?.close();
    await suite.demo?.stop();
  });
  return suite;
}

/** Creates a page in its own context: { page, context, problems, requests, open, close }. */
export async function openPage(browser, url, options = screens.desktop) {
  const context = await browser.newContext(options);
  const opened = await openDemo(context, url);
  for (const prepare of [watch, holdable]) await opened.page.addInitScript(prepare);
  // The model waits three seconds for the service worker.
  if (options.serviceWorkers !== "block") await lengthenTimer(opened.page, 3000);
  return { ...opened, context, close: () => context.close() };
}

/** Runs in the page: records layout shifts and policy violations. */
function watch() {
  globalThis.shifts = [];
  globalThis.violations = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (!hadRecentInput) shifts.push({ value, moved: sources.map(({ node }) => node?.id || node?.className || node?.nodeName) });
    }
  }).observe({ type: "layout-shift", buffered: true });
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
}

/** Runs in the page: prepares `holdRankings`. */
function holdable() {
  const rankings = (globalThis.rankings = { isHeld: false, atEnd: false, query: undefined, hasBegun: false, held: [] });
  const { postMessage } = Worker.prototype;
  const { set } = Object.getOwnPropertyDescriptor(Worker.prototype, "onmessage");
  /** The queries of each worker's calls. */
  const queries = new WeakMap();
  Worker.prototype.postMessage = function (request, ...rest) {
    if (rankings.isHeld && request?.job?.kind === "prepared") {
      // A newer query begins another ranking.
      if (request.job.query !== rankings.query) Object.assign(rankings, { query: request.job.query, hasBegun: false });
      queries.set(this, (queries.get(this) ?? new Map()).set(request.call, request.job.query));
    }
    return postMessage.call(this, request, ...rest);
  };
  const hear = (listener) =>
    function (event) {
      const isOfRanking = rankings.query !== undefined && queries.get(this)?.get(event.data?.call) === rankings.query;
      const isLater = rankings.hasBegun || event.data?.type === "done";
      if (rankings.isHeld && isOfRanking && isLater) return rankings.held.push(() => listener(event));
      rankings.hasBegun ||= isOfRanking && !rankings.atEnd;
      listener(event);
    };
  Object.defineProperty(Worker.prototype, "onmessage", {
    set(listener) {
      set.call(this, hear(listener));
    },
  });
}

/**
 * Stops each ranking after its first scores, for tests of what users can do while one runs; with `atEnd`, after its last scores, before
 * the workers say that they are done. Returns a function that lets it go on.
 */
export async function holdRankings(page, { atEnd = false } = {}) {
  await page.evaluate((atEnd) => Object.assign(rankings, { isHeld: true, atEnd }), atEnd);
  return () =>
    page.evaluate(() => {
      rankings.isHeld = false;
      for (const hear of rankings.held.splice(0)) hear();
    });
}

/** Returns the texts that an element has from now on, in order, also those that it has for a moment. */
export async function watchTexts(page, id) {
  await page.evaluate((id) => {
    const target = document.getElementById(id);
    const texts = (globalThis[`texts of ${id}`] = []);
    new MutationObserver(() => texts.push(target.textContent)).observe(target, { childList: true, characterData: true, subtree: true });
  }, id);
  return () => page.evaluate((id) => globalThis[`texts of ${id}`], id);
}

/** Waits until the model is loaded and the documents are prepared. */
export async function whenReady(page) {
  await page.getByText("Ready: ").waitFor();
}

/** Enters a question and waits for the final order. */
export async function rank(page, question) {
  await page.fill("#query", question);
  await whenRanked(page);
}

/** Enters long documents. Ranking 50 of them takes seconds, for tests of what users can do meanwhile. */
export async function useLongDocuments(page, count = 50) {
  const long = "Whiskers tell a cat how wide a hole is, and whether the rest of it will fit. ".repeat(25);
  await useDocuments(
    page,
    Array.from({ length: count }, (_, index) => `Passage ${index}. ${long}`),
  );
}

/** Enters documents. */
export async function useDocuments(page, texts) {
  await page.click("#choose-documents");
  await page.fill("#documents-text", texts.join("\n"));
  await page.getByRole("button", { name: "Use these documents" }).click();
  await page.getByText(`${texts.length} passages`).first().waitFor();
}

export async function whenRanked(page) {
  await page.locator('[data-ranking-state="final"]').waitFor();
}

/** Returns the texts of a list's rows, in order. */
export function texts(page, list) {
  return page.locator(`#${list} .text`).allTextContents();
}

/** Saves a screenshot for people to look at. */
export async function screenshot(page, name, { fullPage = false } = {}) {
  mkdirSync(screenshotFolder, { recursive: true });
  // Animations are not disabled, so that the screenshot shows what users see.
  await page.screenshot({ path: join(screenshotFolder, `${name}.png`), fullPage });
}

/** Waits until the service worker has cached files whose names end so, at most two minutes. */
export async function whenCached(page, ...endings) {
  const areCached = () =>
    page.evaluate(async (endings) => {
      const paths = (await (await caches.open("ranklet-page")).keys()).map(({ url }) => new URL(url).pathname);
      return endings.every((ending) => paths.some((path) => path.endsWith(ending)));
    }, endings);
  for (const deadline = Date.now() + 120_000; !(await areCached()); ) {
    if (Date.now() > deadline) throw new Error(`the service worker has not cached ${endings.join()}`);
    await page.waitForTimeout(100);
  }
}

/** Chooses a model of the page in the dialog: "embedded" or "small". */
export async function chooseEmbedded(page, name) {
  await page.click("#choose-model");
  await page.check(`#model-${name}`);
  await page.getByRole("button", { name: "Load this model" }).click();
}

/** Loads a model by its id on the Hub. */
export async function chooseHub(page, id) {
  await page.click("#choose-model");
  await page.fill("#model-id", id);
  // Leaving the field for the button would ask for the size of the model, with requests of its own if the click takes long.
  await page.press("#model-id", "Enter");
}
