// Loading models of a Hub in Chromium, with its fetch, its Cache API and requests to other origins.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { assertClose } from "../support/assert.js";
import { launchChromium } from "../support/browsers/chromium.js";
import { files, id, model, pairs, scoresFrom } from "../support/models/hub-model.js";
import { faults, startHub } from "../support/servers/hub.js";
import { startSite } from "../support/servers/package-site.js";

const expected = Array.from(await scoresFrom(model.url));
let hub, site, browser, context, page;

before(async () => {
  hub = await startHub();
  hub.publish(id, files);
  site = await startSite({ "/hub/": (request, response) => hub.handle(request, response) });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await Promise.all([site?.stop(), hub?.stop()]);
});
beforeEach(async () => {
  context = await browser.newContext();
  page = await open();
});
afterEach(async () => {
  await context.close();
  Object.assign(hub, { requests: [], listings: [], sent: 0, down: false, lists: false });
  for (const set of [hub.faults, hub.elsewhereFaults, hub.gated, hub.tokens]) set.clear();
});

async function open() {
  const opened = await context.newPage();
  // Waits before a request is repeated are random, and so they are short.
  await opened.addInitScript(() => {
    const { random } = Math;
    Math.random = () => random() / 100;
  });
  await opened.goto(site.url);
  return opened;
}

/** Loads in a page, by default on the page's own thread. Returns { scores, warnings } or { code, message }. */
function load(options = {}, { source = id, on = page } = {}) {
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
    [source, { baseUrl: hub.url, workers: 0, ...options }, pairs],
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
  hub.down = true;
  const requested = hub.requests.length;
  const outcome = await load(options, where);
  hub.down = false;
  assert.equal(hub.requests.length, requested, `requests made: ${JSON.stringify(outcome)}`);
  assertRight(outcome);
}

/** Truncates an entry of the Cache or overwrites its bytes, as `change` says; without `change`, removes it. */
function damage(ending, change, name = "ranklet-models-v1") {
  return page.evaluate(
    async ([ending, change, name]) => {
      const cache = await caches.open(name);
      const request = (await cache.keys()).find(({ url }) => url.replace(/~\d+$/, "").endsWith(ending));
      if (change === null) await cache.delete(request);
      else {
        const bytes = new Uint8Array(await (await cache.match(request)).arrayBuffer());
        await cache.put(request, new Response(change === "truncate" ? bytes.slice(0, -1) : bytes.fill(120)));
      }
    },
    [ending, change ?? null, name],
  );
}

/** Returns the URLs of the files in a Cache, without the time of the last use. A file may be stored in pieces. */
async function entries(name = "ranklet-models-v1") {
  const urls = await page.evaluate(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url), name);
  return [...new Set(urls.map((url) => url.replace(/~\d+$/, "")))].filter((url) => !url.endsWith("ranklet=used"));
}

const models = async () => (await entries()).filter((url) => url.endsWith("ranklet=manifest.json"));

describe("a model of a Hub, in Chromium", () => {
  test("a model of a Hub has the right scores in Chromium, and later without a server, in other pages too", async () => {
    await loads();
    await offline();
    await offline({ workers: 1 });
    await offline({ cache: true }, { on: await open() });
    assert.equal((await entries()).length, files.size + 1);
  });

  test("in Chromium, a Hub that lists its files causes no failed request in the console", async () => {
    hub.lists = true;
    const problems = [];
    page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
    await loads();
    await offline();
    assert.deepEqual(problems, []);
    assert.equal(hub.listings.filter(({ path }) => path.includes(id)).length, 1);
  });

  test("in Chromium, each choice of weights is cached by itself", async () => {
    await loads({ weights: "model.safetensors" });
    await offline({ weights: "model.safetensors" });
    assert.equal((await entries()).length, files.size + 1);
    await loads();
    await offline();
    await offline({ weights: "model.safetensors" });
    assert.equal((await entries()).length, 2 * (files.size + 1));
    await fails("weights", /the model has no pytorch_model\.bin.*it has model\.safetensors$/, { weights: "pytorch_model.bin" });
  });

  test("in Chromium, the base URL of a Hub may be relative to the page", async () => {
    for (const baseUrl of ["/hub", "hub/"]) await loads({ baseUrl, cache: false });
    assert.deepEqual(await entries(), []);
    await fails("input", /baseUrl must be an http or https URL, or one relative to the page/, { baseUrl: "http://" });
  });

  test("in Chromium, a model is cached in the Cache that the option names", async () => {
    await loads({ cache: "mine" });
    assert.equal((await entries("mine")).length, files.size + 1);
    await offline({ cache: "mine" });
    await loads({ cache: false });
    assert.equal(await page.evaluate(() => caches.keys().then((names) => names.join())), "mine");
  });

  test("in Chromium, a token is not sent to other origins after a redirect", async () => {
    hub.gated.add(id);
    hub.tokens.add("hf_SECRET");
    await fails("network", /private or gated/);
    hub.requests = [];
    await loads({ token: "hf_SECRET" });
    const gets = hub.requests.filter(({ origin }) => origin === "elsewhere");
    assert.ok(gets.length > 0);
    for (const { authorization } of gets) assert.equal(authorization, undefined);
  });

  test("in Chromium without a Cache API, a model loads unless an option asks for a cache", async () => {
    await page.addInitScript(() => Object.defineProperty(globalThis, "caches", { value: undefined }));
    await page.reload();
    await loads();
    await fails("unsupported", /cache is not available here.*https/, { cache: true });
    await fails("unsupported", /cache is not available here/, { cache: "mine" });
  });

  test("in Chromium, a model loads with a warning if the cache has no space", async () => {
    await page.evaluate(() => {
      const { put } = Cache.prototype;
      Cache.prototype.put = function (url, response) {
        if (!url.includes("model.safetensors")) return put.call(this, url, response);
        return Promise.reject(new DOMException("no space", "QuotaExceededError"));
      };
    });
    const outcome = await load();
    assertRight(outcome);
    const { warnings } = outcome;
    assert.match(warnings.at(-1), /could not be stored in the cache.*no space/);
    assert.deepEqual(await entries(), []);
  });

  test("in Chromium, two pages can load the same model at the same time", async () => {
    const other = await open();
    await Promise.all([loads(), loads({}, { on: other })]);
    await offline();
    await offline({}, { on: other });
  });
});

describe("faults of a server, in Chromium", () => {
  const broken = /(broke off|ended after \d+ of \d+ bytes|could not be fetched)/;
  const cases = [
    ["config.json", "status 404", faults.status(404), "network", /config\.json is missing/],
    ["modules.json", "an HTML page", faults.page, "network", /page of HTML instead of the file/],
    ["model.safetensors", "connection cut", faults.cut, "network", broken],
    ["modules.json", "connection cut, no content-length", faults.cutWithoutLength, "network", broken],
    ["tokenizer.json", "fewer bytes than announced", faults.lengthTooLong, "network", broken],
    ["model.safetensors", "content-length too small", faults.lengthTooShort, "weights", /./],
    ["tokenizer.json", "linked size too large", faults.linkedSizeTooLong, "network", /ended after \d+ of \d+ bytes/],
    ["tokenizer.json", "another commit", faults.otherCommit, "integrity", /try again/],
    ["tokenizer.json", "redirected in circles", faults.redirectInCircles, "network", /could not be fetched/],
  ];
  for (const [name, what, fault, code, message] of cases) {
    test(`in Chromium, ${name} with the fault "${what}" is refused, nothing is cached, and the next load succeeds`, async () => {
      hub.faults.set(name, fault);
      await fails(code, message);
      assert.deepEqual(await models(), []);
      hub.faults.clear();
      await loads();
      await offline();
    });
  }

  for (const name of ["config.json", "tokenizer.json", "modules.json"]) {
    test(`in Chromium, a compressed ${name} from another origin is loaded, although the page cannot see the encoding`, async () => {
      hub.faults.set(name, faults.gzip);
      await loads();
      await offline();
    });
  }

  test("in Chromium, a file that compression makes longer is loaded", async () => {
    hub.publish(id, new Map([...files, ["sentence_bert_config.json", Buffer.from("{}")]]), "tiny");
    hub.faults.set("sentence_bert_config.json", faults.gzip);
    const { scores, message } = await load({ revision: "tiny" });
    assert.ok(scores, message);
  });
});

describe("a damaged Cache, in Chromium", () => {
  const damages = {
    "a missing file": ["/config.json"],
    "a truncated file": ["/model.safetensors", "truncate"],
    "a missing manifest": ["=manifest.json"],
    "a broken manifest": ["=manifest.json", "truncate"],
  };
  for (const [what, how] of Object.entries(damages)) {
    test(`in Chromium, a cache with ${what} is repaired by the next load with a server`, async () => {
      await loads();
      await damage(...how);
      hub.down = true;
      await fails("network", /could not be fetched/);
      hub.down = false;
      await loads();
      await offline();
    });
  }

  test("in Chromium, a cached file of the right length with wrong bytes is downloaded again, with a warning", async () => {
    await loads();
    await damage("/tokenizer.json", "fill");
    const outcome = await load();
    assertRight(outcome);
    const { warnings } = outcome;
    assert.match(warnings[0], /^the model was downloaded again/);
    await offline();
    assert.equal((await entries()).length, files.size + 1);
  });
});
