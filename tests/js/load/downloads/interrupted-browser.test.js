// Downloads that are interrupted in Chromium: by the server, by a full storage and by the end of the tab.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { withHubPage } from "../../support/browsers/hub-page.js";
import { files, id } from "../../support/models/hub-model.js";
import { faults, inTurn, restAnsweredBy, sendFile } from "../../support/servers/hub.js";

const context = withHubPage();
const { load, assertRight, loads, fails, offline, open, models } = context;
const weights = "model.safetensors";
const size = [...files.values()].reduce((sum, { length }) => sum + length, 0);

/** Asserts that at most 5 % of the model was fetched twice. */
function assertLittleWaste() {
  const { sent, requests } = context.hub;
  assert.ok(sent <= 1.05 * size, `${sent} bytes were sent for ${size}: ${JSON.stringify(requests)}`);
}

describe("a download that is interrupted, in Chromium", () => {
  for (const name of ["tokenizer.json", weights]) {
    test(`in Chromium, ${name} that breaks off in several places continues there`, async () => {
      const third = Math.floor(files.get(name).length / 3);
      // Chromium drops bytes that a page has not read when the connection breaks.
      const answers = [faults.cutAt(third, 1000), faults.cutAt(third, 1000)];
      context.hub.setFault(name, inTurn(answers));
      await loads();
      assert.equal(answers.length, 0, "both were sent");
      assertLittleWaste();
      await offline();
    });
  }

  for (const [what, rest, beginning] of [
    ["its ETag changes", sendFile, faults.olderBeginning],
    ["its server ignores ranges", faults.whole],
    ["its server answers 416", faults.outOfRange],
  ]) {
    test(`in Chromium, a file starts again if ${what}`, async () => {
      const fault = restAnsweredBy(rest, beginning);
      context.hub.setFault("tokenizer.json", fault);
      await loads();
      assert.ok(fault.wasSent);
    });
  }

  test("in Chromium, a load waits as long as the server asks", async () => {
    context.hub.setFault("tokenizer.json", inTurn([faults.retryAfter(429, 1)]));
    const started = Date.now();
    await loads();
    assert.ok(Date.now() - started >= 990);
  });

  test("in Chromium, weights with another SHA-256 than the Hub lists are refused and not cached", async () => {
    context.hub.lists = true;
    const wrong = Buffer.from(files.get(weights));
    wrong[wrong.length - 1] ^= 1;
    context.hub.setFault(weights, (exchange) => sendFile({ ...exchange, bytes: wrong }));
    await fails("integrity", /model\.safetensors has the SHA-256 [0-9a-f]{64} where [0-9a-f]{64} was expected/);
    assert.deepEqual(await models(), []);
    context.hub.clearFaults();
    await loads();
    await offline();
  });

  test("in Chromium, a tab that is closed in the middle is continued by another one", async () => {
    const tab = await open();
    const half = Math.floor(files.get(weights).length / 2);
    const stalled = new Promise((resolve) =>
      context.hub.setFault(weights, ({ response, head, bytes }) => {
        response.writeHead(200, head).write(bytes.subarray(0, half), () => setTimeout(resolve, 1500));
      }),
    );
    const loading = assert.rejects(load({}, { on: tab }));
    await stalled;
    await tab.close();
    await loading;
    context.hub.clearFaults();
    await loads();
    assertLittleWaste();
    await offline();
  });

  test("in Chromium, a storage that becomes full in the middle leads to a warning and to no cache", async () => {
    await context.page.evaluate(() => {
      const { put } = Cache.prototype;
      let count = 0;
      Cache.prototype.put = function (url, response) {
        if (url.includes("~") && ++count > 3) return Promise.reject(new DOMException("no space", "QuotaExceededError"));
        return put.call(this, url, response);
      };
    });
    const outcome = await load();
    assertRight(outcome);
    assert.match(outcome.warnings.at(-1), /could not be stored in the cache.*no space/);
    assert.deepEqual(await context.entries(), []);
  });

  test("in Chromium, two tabs download a model once", async () => {
    const other = await open();
    await Promise.all([loads(), loads({}, { on: other })]);
    assertLittleWaste();
  });
});

test("in Chromium, Reranker.cache lists, finds, measures and deletes models, and a cached branch is refreshed", async () => {
  const options = { baseUrl: context.hub.url };
  const ask = () =>
    context.page.evaluate(
      async ([id, options]) => {
        const { Reranker } = await import("/pkg/index.js");
        const { cache } = Reranker;
        const [list, has, total, download] = await Promise.all([
          cache.list(),
          cache.has(id, options),
          cache.size(),
          Reranker.downloadSize(id, options),
        ]);
        return { list: list.map(({ url, bytes, complete }) => [url, bytes, complete]), has, total, download };
      },
      [id, options],
    );
  assert.deepEqual(await ask(), { list: [], has: false, total: 0, download: size });
  await loads();
  const url = `${context.hub.url}/${id}/resolve/main/`;
  assert.deepEqual(await ask(), { list: [[url, size, true]], has: true, total: size, download: 0 });
  context.hub.requests = [];
  await loads({ cache: { refresh: true } });
  assert.equal(context.hub.requests.length, 1);
  const deleted = await context.page.evaluate(async (url) => (await import("/pkg/index.js")).Reranker.cache.delete(url), url);
  assert.equal(deleted, true);
  assert.deepEqual(await context.entries(), []);
});
