// Loading models of a Hub in Chromium, with its fetch, its Cache API and requests to other origins.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { withHubPage } from "../support/browsers/hub-page.js";
import { files, id } from "../support/models/hub-model.js";
import { faults, inTurn } from "../support/servers/hub.js";
import { until } from "../support/until.js";

const context = withHubPage();
const { load, assertRight, loads, fails, offline, open, entries, models } = context;

/** Truncates an entry of the Cache or overwrites its bytes, as `change` says; without `change`, removes it. */
function damage(ending, change, name = "ranklet-models-v1") {
  return context.page.evaluate(
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

describe("a model of a Hub, in Chromium", () => {
  test("a model of a Hub has the right scores in Chromium, and later without a server, in other pages too", async () => {
    await loads();
    await offline();
    await offline({ workers: 1 });
    await offline({ cache: true }, { on: await open() });
    assert.equal((await entries()).length, files.size + 1);
  });

  test("in Chromium, a Hub that lists its files causes no failed request in the console", async () => {
    context.hub.lists = true;
    const problems = [];
    context.page.on("console", (message) => void (message.type() === "error" && problems.push(message.text())));
    await loads();
    await offline();
    assert.deepEqual(problems, []);
    assert.equal(context.hub.listings.filter(({ path }) => path.includes(id)).length, 1);
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
    assert.equal(await context.page.evaluate(() => caches.keys().then((names) => names.join())), "mine");
  });

  test("in Chromium, weights that the package stores are not stored by the browser too", async () => {
    const lasting = ({ response, head, bytes }) => response.writeHead(200, { ...head, "cache-control": "public, max-age=1000" }).end(bytes);
    context.hub.setFault("model.safetensors", lasting);
    const requests = () => context.hub.requests.filter(({ origin }) => origin === "elsewhere").length;
    await loads({ cache: true });
    assert.equal(requests(), 1);
    // Requested again because the browser did not store it, and stored now.
    for (let load = 0; load < 2; load++) await loads({ cache: false });
    assert.equal(requests(), 2);
  });

  test("in Chromium, weights are left to the browser's HTTP cache once the package could not store them", async () => {
    // Breaks off when the page has read the beginning: a browser drops what it has not.
    const cut = async ({ response, head, bytes }) => {
      response.writeHead(200, head).write(bytes.subarray(0, 50_000));
      await until(() => context.page.evaluate(() => globalThis.hasArrived === true));
      response.destroy();
    };
    context.hub.setFault("model.safetensors", inTurn([cut]));
    const settings = await context.page.evaluate(
      async ([id, baseUrl]) => {
        const { put } = Cache.prototype;
        Cache.prototype.put = function (url, response) {
          return url.includes("model.safetensors") ? Promise.reject(new Error("it is full")) : put.call(this, url, response);
        };
        const { Reranker } = await import("/pkg/index.js");
        const noted = [];
        const noting = (url, init) => {
          if (url.href.endsWith("model.safetensors")) noted.push(init.cache ?? "default");
          return fetch(url, init);
        };
        const onProgress = ({ file, loaded }) => {
          if (file === "model.safetensors" && loaded >= 50_000) globalThis.hasArrived = true;
        };
        (await Reranker.load(id, { baseUrl, workers: 0, cache: true, fetch: noting, onProgress })).dispose();
        return noted;
      },
      [id, context.hub.url],
    );
    assert.deepEqual(settings, ["no-store", "default"]);
  });

  test("in Chromium, a token is not sent to other origins after a redirect", async () => {
    context.hub.gated.add(id);
    context.hub.tokens.add("hf_SECRET");
    await fails("network", /private or gated/);
    context.hub.requests = [];
    await loads({ token: "hf_SECRET" });
    const gets = context.hub.requests.filter(({ origin }) => origin === "elsewhere");
    assert.ok(gets.length > 0);
    for (const { authorization } of gets) assert.equal(authorization, undefined);
  });

  test("in Chromium without a Cache API, a model loads unless an option asks for a cache", async () => {
    await context.page.addInitScript(() => Object.defineProperty(globalThis, "caches", { value: undefined }));
    await context.page.reload();
    await loads();
    await fails("unsupported", /cache is not available here.*https/, { cache: true });
    await fails("unsupported", /cache is not available here/, { cache: "mine" });
  });

  test("in Chromium, a model loads with a warning if the cache has no space", async () => {
    await context.page.evaluate(() => {
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
      context.hub.faults.set(name, fault);
      await fails(code, message);
      assert.deepEqual(await models(), []);
      context.hub.faults.clear();
      await loads();
      await offline();
    });
  }

  for (const name of ["config.json", "tokenizer.json", "modules.json"]) {
    test(`in Chromium, a compressed ${name} from another origin is loaded, although the page cannot see the encoding`, async () => {
      context.hub.faults.set(name, faults.gzip);
      await loads();
      await offline();
    });
  }

  test("in Chromium, a file that compression makes longer is loaded", async () => {
    context.hub.publish(id, new Map([...files, ["sentence_bert_config.json", Buffer.from("{}")]]), "tiny");
    context.hub.faults.set("sentence_bert_config.json", faults.gzip);
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
      context.hub.down = true;
      await fails("network", /could not be fetched/);
      context.hub.down = false;
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
