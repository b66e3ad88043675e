// The page's requests: none after loading, none on the second visit, and clear messages when they fail.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import {
  chooseEmbedded,
  chooseHub,
  openPage,
  rank,
  screens,
  screenshot,
  texts,
  whenCached,
  whenReady,
  withDemo,
} from "../support/browsers/page.js";
import { checkpoint, family } from "../support/models/fixtures.js";
import { root } from "../support/paths.js";
import { startModelHost } from "../support/servers/model-host.js";
import { startProxy } from "../support/servers/proxy.js";

const policy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const weights = "/assets/default/model.safetensors";
const smallWeights = "/assets/small/model.safetensors";

const fixtures = new URL("tests/fixtures/", root);
const small = checkpoint((labels) => labels === 1);
/** The models of the hub, as functions from a file name to its URL. */
const models = {
  "someone/small-model": (file) => new URL(file, small.url),
  "someone/chain-of-modules": (file) => new URL(file, family("chain-cls-h40").url),
  "someone/in-two-files": (file) => fileInTwo(file, "sharded-safetensors"),
  "someone/in-two-files-of-torch": (file) => fileInTwo(file, "sharded-bin"),
};

describe("the demo page on the network", () => {
  let hub;
  let proxy;
  before(async () => (hub = await startModelHost(models)));
  const suite = withDemo(launchChromium, () => ({ RANKLET_HUB: hub.url }));
  after(() => hub.stop());
  beforeEach(async () => (proxy = await startProxy(suite.demo.url)));
  afterEach(() => proxy.stop());

  test("the page has a strict policy, in the header and in its HTML", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    const response = await open();
    const header = response.headers()["content-security-policy"];
    assert.ok(header.startsWith(`${policy};`), header);
    assert.equal(await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content"), policy);
    assert.doesNotMatch(await response.text(), /<script(?![^>]* src=)|<style|\sstyle=|\son\w+=/, "nothing inline");
    const shown = await page.evaluate(() => fetch("/collection.json").then(({ headers }) => headers.get("content-security-policy")));
    assert.equal(shown, header, "on every answer");
    await close();
  });

  test("typing, ranking and explaining cause no request of the page, its worker or its service worker", async () => {
    const { page, context, requests, open, close } = await openPage(suite.browser, proxy.url);
    context.on("request", (request) => requests.push(request.url()));
    await open();
    await whenReady(page);
    assert.ok(proxy.requests.includes("/sw.js") && proxy.requests.includes(weights));
    const [requestsBefore, servedBefore] = [requests.length, proxy.requests.length];
    await rank(page, "Why do astronauts float?");
    await rank(page, "What does andante mean?");
    await page.locator("#ranklet-list .passage").nth(1).click();
    await page.getByRole("button", { name: "Why not first?" }).click();
    await page.getByText(/^Number 1 is ahead/).waitFor();
    await page.waitForTimeout(500);
    assert.deepEqual(requests.slice(requestsBefore), []);
    // Browsers check for a new version of a service worker some time after a visit.
    assert.deepEqual(
      proxy.requests.slice(servedBefore).filter((path) => path !== "/sw.js"),
      [],
    );
    assert.equal(await page.textContent("#requests-after-load"), "0", (await page.locator("#requests .late").allTextContents()).join("\n"));
    assert.equal(await page.textContent("#requests-to-other-hosts"), "0");
    assert.match(await page.textContent("#requests-during-load"), /^\d+ requests, 3\d\.\d MB$/);
    assert.ok(
      requests.every((url) => url.startsWith(proxy.url)),
      requests.join("\n"),
    );
    await close();
  });

  test("the page fetches the model once, and a second visit needs no server", async () => {
    const { page, context, problems, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    for (const large of [weights, smallWeights, "/assets/ranklet_relaxed_bg.wasm"]) {
      assert.equal(proxy.requests.filter((path) => path === large).length, 1, `${large} is fetched once`);
    }
    assert.ok(!proxy.requests.includes("/assets/ranklet_bg.wasm"), "the engine's other file is not fetched");
    await whenCached(page, ...new Set(proxy.requests.filter((path) => path.startsWith("/assets/"))));
    await context.setOffline(true);
    await proxy.stop();
    await page.reload();
    await whenReady(page);
    await rank(page, "Why do astronauts float?");
    assert.match((await texts(page, "ranklet-list"))[0], /astronaut/i);
    assert.deepEqual(problems, []);
    await close();
  });

  test("a new version of the page waits until the tabs of the old one are closed, and keeps their files", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    await whenCached(page, "small/model.safetensors");
    proxy.faults.set("/sw.js", { replace: [/(small\/model\.safetensors",sha256:")[^"]+/, "$1new"] });
    const state = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      // An update that the browser has begun before finds the old version.
      for (let round = 0; round < 5 && (registration.installing ?? registration.waiting) === null; round++) await registration.update();
      const worker = registration.installing ?? registration.waiting;
      while (worker.state === "installing") await new Promise((done) => worker.addEventListener("statechange", done, { once: true }));
      await new Promise((done) => setTimeout(done, 500));
      return worker.state;
    });
    assert.equal(state, "installed");
    await whenCached(page, "small/model.safetensors");
    await close();
  });

  test("the service worker does not cache a file that breaks off or is not found", async () => {
    proxy.faults.set(weights, { status: 503 });
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await page.locator('[data-state="failed"]').waitFor();
    const names = await page.evaluate(async () =>
      (await (await caches.open("ranklet-page")).keys()).map(({ url }) => new URL(url).pathname),
    );
    assert.ok(names.includes("/main.js"), "the other files are cached");
    assert.ok(!names.includes(weights));
    await close();
  });

  test("if the model cannot be loaded, the page says why and what to do, and a second attempt works", async () => {
    proxy.faults.set(smallWeights, { status: 503 });
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await page.locator('[data-state="failed"]').waitFor();
    assert.match(await page.textContent("#load-detail"), /model\.safetensors answered 503.*\(network\).*Try again/);
    assert.match(await page.textContent("#announcement"), /^The model could not be loaded\. .*503/);
    await page.fill("#query", "Why do astronauts float?");
    // Keywords work without the model.
    await page.locator("#keyword-list .text").first().waitFor();
    await page
      .locator("#announcement", { hasText: /^Keywords found \d+ passages\. Ranklet reads them when the model is loaded\.$/ })
      .waitFor();
    await page.waitForTimeout(500);
    await screenshot(page, "failed");
    proxy.faults.clear();
    await page.getByRole("button", { name: "Try again" }).click();
    await page
      .getByText(/^Ranked \d+ passages/)
      .first()
      .waitFor();
    assert.equal(await page.isVisible("#load-card"), false);
    await close();
  });

  test("the page shows the progress of each file, and loading can be canceled and started again", async () => {
    let release;
    proxy.faults.set(smallWeights, { share: 0.5, until: new Promise((resolve) => (release = resolve)) });
    const { page, problems, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await page
      .locator(".file", { hasText: "model.safetensors" })
      .getByText(/[1-9]\.\d MB of 8\.\d MB/)
      .waitFor();
    await page.locator(".file").nth(4).waitFor();
    assert.equal(await page.locator(".file").count(), 5);
    const [value, max] = await page.locator("#load-overall").evaluate(({ value, max }) => [value, max]);
    assert.ok(value > 0 && value < max && max > 8e6, `${value} of ${max}`);
    await screenshot(page, "loading");
    await page.selectOption("#dtype-choice", "f32");
    await page.waitForTimeout(200);
    await page.keyboard.press("Escape");
    await page.getByText("The model is not loaded").waitFor();
    await screenshot(page, "loading-canceled");
    await page.fill("#query", "Why do astronauts float?");
    assert.ok((await texts(page, "keyword-list")).length > 0);
    proxy.faults.clear();
    release();
    assert.equal(await page.inputValue("#dtype-choice"), "f32");
    await page.getByRole("button", { name: "Load the model" }).click();
    await page
      .getByText(/^Ranked \d+ passages/)
      .first()
      .waitFor();
    assert.equal(await page.textContent("#device-now"), "CPU, f32");
    assert.deepEqual(problems, []);
    await close();
  });

  for (const id of Object.keys(models)) {
    test(`the page loads ${id} through its own server, and its requests count as part of loading`, async () => {
      const { page, problems, open, close } = await openPage(suite.browser, proxy.url);
      await open();
      await whenReady(page);
      await chooseHub(page, id);
      await page.locator("#model-name", { hasText: new RegExp(`^${id}$`) }).waitFor();
      await rank(page, "Why do astronauts float?");
      assert.ok(hub.requests.some((path) => path.startsWith(`/${id}/`) && /\.(safetensors|bin)$/.test(path)));
      assert.match(await page.textContent("#code"), new RegExp(`Reranker\\.load\\("${id}", \\{ baseUrl: "\\./hub/" \\}\\)`));
      // Other requests after loading, such as the program of a worker that starts late, are not counted here.
      const late = await page.locator("#requests li.late .path").allTextContents();
      assert.deepEqual(
        late.filter((path) => path.includes("/hub/")),
        [],
        "a model's files are no requests of a ranking",
      );
      assert.deepEqual(
        problems.filter((problem) => !problem.includes("404")),
        [],
      );
      await close();
    });
  }

  test("the dialog shows how much a model would download, and nothing for an unfinished id", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    await page.click("#choose-model");
    await page.locator("#model-id").pressSequentially("someone/small");
    assert.equal(await page.textContent("#model-download"), "");
    await page.fill("#model-id", "someone/small-model");
    await page.locator("#model-id").blur();
    await page.getByText(/^Download: \d+ kB\.$/).waitFor();
    await screenshot(page, "model-dialog-size");
    await page.fill("#model-id", "someone/missing");
    await page.locator("#model-id").blur();
    await page.getByText("The size is not known.").waitFor();
    await page.fill("#model-id", "someone/small-model");
    await page.getByRole("button", { name: "Load this model" }).click();
    await page.locator("#model-name", { hasText: "someone/small-model" }).waitFor();
    // As above, without the program of a worker that starts late.
    const late = await page.locator("#requests li.late .path").allTextContents();
    assert.ok(!late.some((path) => path.includes("/hub/")), `requests after loading: ${late}`);
    await page.click("#choose-model");
    await page.locator("#model-id").evaluate((field) => field.dispatchEvent(new Event("change", { bubbles: true })));
    await page.getByText("Nothing to download: this browser has the model.").waitFor();
    await close();
  });

  test("for an id that the hub does not have, the page gives advice and keeps the current model", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url);
    await open();
    await whenReady(page);
    await chooseHub(page, "nobody/nothing");
    await page.locator('[data-state="failed"]').waitFor();
    assert.match(await page.textContent("#load-detail"), /Check the id/);
    await page.getByRole("button", { name: "Keep Embedded model" }).click();
    await rank(page, "Why do astronauts float?");
    await close();
  });

  test("a failure does not cover a model that was loaded while the page looked for advice", async () => {
    const { page, open, close } = await openPage(suite.browser, proxy.url, { ...screens.desktop, serviceWorkers: "block" });
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.route("**/hub/", async (route) => {
      await held;
      await route.continue();
    });
    await open();
    await whenReady(page);
    const asked = page.waitForRequest("**/hub/");
    await chooseHub(page, "nobody/nothing");
    await asked;
    await chooseEmbedded(page, "small");
    await page.locator("#model-name", { hasText: "Small model" }).waitFor();
    release();
    await page.waitForTimeout(500);
    assert.equal(await page.isVisible("#load-card"), false);
    await close();
  });
});

/** Returns the URL of a file of a model whose weights are in two files. */
function fileInTwo(file, weights) {
  const isWeights = /^(model|pytorch_model)[.-]/.test(file);
  return new URL(file, new URL(isWeights ? `weights/${weights}/` : "bert-bare-h36/", fixtures));
}
