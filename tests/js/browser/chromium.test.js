// The package in a page with a strict policy: responsiveness, concurrency, lost workers and requests.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { longestTaskWhile } from "../support/browsers/task-times.js";
import { startSite } from "../support/servers/package-site.js";
import { assertTurns } from "../support/turns.js";
import { until } from "../support/until.js";

/** The longest task in milliseconds of processor time: three frames at 60 Hz. */
const maxTaskMs = 50;

describe("in Chromium", () => {
  let site;
  let browser;
  let page;
  before(async () => {
    site = await startSite();
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(site.url);
    await page.evaluate(async () => {
      const { Reranker } = await import("/pkg/index.js");
      globalThis.reranker = await Reranker.load(undefined, { workers: 1 });
      globalThis.documents = Array.from(
        { length: 60 },
        (_, at) => `Document ${at} tells how bees keep their hive warm in winter, and that ${at * 7919} of them take turns.`,
      );
      globalThis.all = async (stream) => {
        const parts = [];
        for await (const part of stream) parts.push(part);
        return parts;
      };
    });
    site.requests.length = 0;
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  test("while a page ranks, frames keep coming and no task is long", async (t) => {
    let frames;
    const { tasks, longest } = await longestTaskWhile(browser, page, async () => (frames = await page.evaluate(framesWhileRanking)));
    t.diagnostic(`${frames} frames, ${tasks} tasks, the longest ${longest.toFixed(0)} ms of processor time`);
    assert.ok(frames > 20, `${frames} frames`);
    assert.ok(tasks > 20, `${tasks} tasks`);
    assert.ok(longest <= maxTaskMs, `a task took ${longest} ms`);
  });

  test("in a page, an abort rejects at once, and the next call works", async () => {
    const seen = await page.evaluate(async () => {
      const expected = await reranker.rank("bees", documents.slice(0, 5));
      const controller = new AbortController();
      let parts = 0;
      let partsAtAbort;
      let hasEnded = false;
      let endedAtOnce;
      const onProgress = () => {
        if (++parts === 1)
          setTimeout(() => {
            partsAtAbort = parts;
            controller.abort("enough");
            // The next task, whatever the worker does.
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => (endedAtOnce = hasEnded);
            port2.postMessage(undefined);
          });
      };
      const { code, cause } = await reranker
        .rerank({ query: "bees", documents, signal: controller.signal, onProgress })
        .catch((error) => error)
        .finally(() => (hasEnded = true));
      const next = await reranker.rank("bees", documents.slice(0, 5));
      return { code, cause, endedAtOnce, more: parts - partsAtAbort, next, expected };
    });
    assert.deepEqual([seen.code, seen.cause], ["aborted", "enough"]);
    assert.ok(seen.more <= 1, `${seen.more} micro-batches were reported after the abort`);
    assert.equal(seen.endedAtOnce, true);
    assert.deepEqual(seen.next, seen.expected);
  });

  test("in a page, two concurrent calls take turns and give the right results", async () => {
    const seen = await page.evaluate(async () => {
      const queries = ["how do bees survive the winter", "who takes turns"];
      const alone = [];
      for (const query of queries) alone.push((await reranker.rerank({ query, documents })).results);
      const turns = [];
      const calls = queries.map((query, at) => reranker.rerank({ query, documents, onProgress: () => turns.push(at) }));
      return { alone, together: (await Promise.all(calls)).map(({ results }) => results), turns };
    });
    assert.deepEqual(seen.together, seen.alone);
    assertTurns(seen.turns);
  });

  test("streaming a million documents gives the first results soon and can be aborted, and the memory is freed", async (t) => {
    const session = await page.context().newCDPSession(page);
    const heap = async () => {
      await session.send("HeapProfiler.collectGarbage");
      return (await session.send("Runtime.getHeapUsage")).usedSize;
    };
    const stream = () =>
      page.evaluate(async () => {
        const million = Array.from({ length: 1_000_000 }, (_, at) => documents[at % documents.length]);
        const controller = new AbortController();
        const started = performance.now();
        const parts = reranker.stream({ query: "bees", documents: million, signal: controller.signal });
        const first = await parts.next();
        const firstMs = performance.now() - started;
        await parts.next();
        controller.abort();
        const { code } = await parts.next().catch((error) => error);
        return { firstMs, total: first.value.total, scored: first.value.results.length, code };
      });
    await stream(); // The first run allocates memory that stays, e.g. for compiled code.
    const before = await heap();
    const seen = await stream();
    let after;
    await until(async () => (after = await heap()) - before < 500_000);
    t.diagnostic(
      `first of a million after ${seen.firstMs.toFixed(0)} ms; page's memory ${(before / 1e6).toFixed(2)} MB before, ${(after / 1e6).toFixed(2)} MB after`,
    );
    assert.deepEqual([seen.total, seen.code], [1_000_000, "aborted"]);
    assert.ok(seen.scored < 100 && seen.firstMs < 10_000, `${seen.scored} after ${seen.firstMs} ms`);
  });

  test("in a page, each new ranking with latest ends the previous one, and the last one gives the right results", async () => {
    const seen = await page.evaluate(async () => {
      const collection = await reranker.prepare(documents);
      const typed = ["b", "be", "bee", "bees in winter"].map((query) =>
        all(collection.rank(query, { latest: true, topN: 3 })).catch(({ code }) => code),
      );
      const outcomes = await Promise.all(typed);
      const expected = (await reranker.rerank({ query: "bees in winter", documents, topN: 3 })).results;
      return { ended: outcomes.slice(0, 3), last: outcomes[3].at(-1).results, expected };
    });
    assert.deepEqual(seen.ended, ["aborted", "aborted", "aborted"]);
    assert.deepEqual(seen.last, seen.expected);
  });

  test("in a page, a killed worker is reported and replaced together with its collections", async () => {
    const [worker] = page.workers();
    const before = await page.evaluate(async () => {
      globalThis.collection = await reranker.prepare(documents);
      globalThis.rejected = reranker
        .rerank({ query: "bees", documents: Array(200).fill(documents).flat() })
        .catch(({ code, message }) => ({ code, message }));
      return reranker.rank("bees", documents.slice(0, 3));
    });
    await worker.evaluate(() => self.close());
    const seen = await page.evaluate(async () => ({
      rejected: await rejected,
      again: await reranker.rank("bees", documents.slice(0, 3)),
      prepared: (await all(collection.rank("bees", { candidates: [0, 1, 2] }))).at(-1).results,
    }));
    assert.equal(seen.rejected.code, "internal");
    assert.match(seen.rejected.message, /the worker ended \(it stopped without an error\)/);
    assert.deepEqual(seen.again, before);
    assert.deepEqual(
      seen.prepared.map(({ index }) => index),
      before.map(({ corpus_id }) => corpus_id),
    );
    await until(() => page.workers().length === 1 && page.workers()[0] !== worker);
  });

  test("after loading, a page requests neither the engine nor the model, not even for a new worker", () => {
    // The browser may load the worker's program again for a new worker.
    assert.deepEqual(
      site.requests.filter((path) => path !== "/pkg/assets/worker.js"),
      [],
    );
  });

  test("the reason for the CPU gives no advice, and the error for a GPU that is required does", async () => {
    const seen = await page.evaluate(async () => {
      const { Reranker } = await import("/pkg/index.js");
      const { message } = await Reranker.load(undefined, { device: "webgpu", workers: 1 }).catch((error) => error);
      return { reason: reranker.info.backend.reason, message };
    });
    assert.match(seen.message, /no (GPU|WebGPU)\b.*use (the device )?("auto" or )?"cpu"$/i);
    assert.match(seen.reason, /no (GPU|WebGPU)\b/);
    assert.doesNotMatch(seen.reason, /use the device/i);
  });

  test("a worker that gets its lock after its first answers does not count as lost", async () => {
    const slow = await browser.newPage();
    await slow.route("**/assets/worker.js", async (route) => {
      const late =
        "LockManager.prototype.request = ((request) => async function (...args) { await new Promise((done) => setTimeout(done, 1500)); return request.apply(this, args); })(LockManager.prototype.request);";
      const response = await route.fetch();
      await route.fulfill({ response, body: `${late}\n${await response.text()}` });
    });
    await slow.goto(site.url);
    const scored = await slow.evaluate(async () => {
      const { Reranker } = await import("/pkg/index.js");
      const reranker = await Reranker.load();
      const until = performance.now() + 3000;
      let calls = 0;
      for (; performance.now() < until; calls++) await reranker.score([["bees", "a hive"]]);
      reranker.dispose();
      return calls;
    });
    assert.ok(scored > 1, `${scored} calls`);
    await slow.close();
  });

  test("in a page, two workers share the documents, stream results, and survive the loss of one", async () => {
    const pool = await browser.newPage();
    await pool.goto(site.url);
    // Long enough that both workers get documents.
    const texts = await page.evaluate(() => documents.map((text) => text.repeat(20)));
    await pool.evaluate(async (texts) => {
      const { Reranker } = await import("/pkg/index.js");
      globalThis.documents = texts;
      globalThis.reranker = await Reranker.load(undefined, { workers: 2 });
      globalThis.collection = await reranker.prepare(documents);
      globalThis.rankPrepared = async () => {
        let last;
        for await (const ranking of collection.rank("bees")) last = ranking;
        return last.results;
      };
    }, texts);
    const alone = await page.evaluate((documents) => reranker.rerank({ query: "bees", documents }), texts);
    const before = await pool.evaluate(async () => {
      const indices = [];
      for await (const { results } of reranker.stream({ query: "bees", documents })) indices.push(...results.map(({ index }) => index));
      return { indices, reranked: (await reranker.rerank({ query: "bees", documents })).results, prepared: await rankPrepared() };
    });
    assert.deepEqual(
      before.indices.toSorted((a, b) => a - b),
      [...Array(60).keys()],
    );
    assert.ok(
      before.indices.some((index, at) => index !== at),
      "both workers scored",
    );
    assert.deepEqual(before.reranked, alone.results);
    assert.deepEqual(before.prepared, alone.results);

    const [first, lost] = pool.workers();
    const call = pool.evaluate(
      () =>
        new Promise((resolve, reject) => {
          globalThis.begun = new Promise((begin) => {
            reranker.rerank({ query: "bees", documents, onProgress: begin }).then(({ results }) => resolve(results), reject);
          });
        }),
    );
    await pool.evaluate(() => begun);
    await lost.evaluate(() => self.close());
    assert.deepEqual(await call, alone.results);
    assert.deepEqual(await pool.evaluate(() => rankPrepared()), alone.results);
    await until(() => pool.workers().length === 2 && pool.workers().includes(first) && !pool.workers().includes(lost));
    await pool.close();
  });

  test("in a page, the layers of a model are split over three workers, with the same scores, and a lost one is replaced", async () => {
    const split = await browser.newPage();
    await split.goto(site.url);
    const texts = await page.evaluate(() => documents);
    const alone = await page.evaluate(() => reranker.rerank({ query: "bees", documents }));
    const { results, backend, prepared, aborted } = await split.evaluate(async (texts) => {
      const { Reranker } = await import("/pkg/index.js");
      globalThis.documents = texts;
      globalThis.reranker = await Reranker.load(undefined, { workers: 3, split: "layers", device: "cpu" });
      const { results } = await reranker.rerank({ query: "bees", documents });
      const collection = await reranker.prepare(documents);
      let prepared;
      for await (const ranking of collection.rank("bees")) prepared = ranking.results;
      const controller = new AbortController();
      const call = reranker.rerank({ query: "bees", documents, signal: controller.signal, onProgress: () => controller.abort() });
      const aborted = await call.then(
        () => "no error",
        ({ code }) => code,
      );
      return { results, backend: reranker.info.backend, prepared, aborted };
    }, texts);
    assert.deepEqual([backend.split, backend.workers, aborted], ["layers", 3, "aborted"]);
    assert.deepEqual(results, alone.results);
    assert.deepEqual(prepared, alone.results);

    const [, kept, lost] = split.workers();
    const call = split.evaluate(
      () =>
        new Promise((resolve, reject) => {
          globalThis.begun = new Promise((begin) => {
            reranker.rerank({ query: "bees", documents, onProgress: begin }).then(({ results }) => resolve(results), reject);
          });
        }),
    );
    await split.evaluate(() => begun);
    await lost.evaluate(() => self.close());
    assert.deepEqual(await call, alone.results);
    // The call may have ended before the worker; then the next one needs another.
    assert.deepEqual(
      await split.evaluate(() => reranker.rerank({ query: "bees", documents }).then(({ results }) => results)),
      alone.results,
    );
    await until(() => split.workers().length === 3 && split.workers().includes(kept) && !split.workers().includes(lost));
    await split.close();
  });

  test("with workers: 0, a page ranks on its own thread, and frames come between micro-batches", async () => {
    const seen = await page.evaluate(async () => {
      const { Reranker } = await import("/pkg/index.js");
      const here = await Reranker.load(undefined, { workers: 0 });
      let frames = 0;
      const frame = () => {
        frames++;
        requestAnimationFrame(frame);
      };
      frame();
      const { results } = await here.rerank({ query: "bees", documents });
      return { results, frames, expected: (await reranker.rerank({ query: "bees", documents })).results };
    });
    assert.deepEqual(seen.results, seen.expected);
    assert.ok(seen.frames > 1);
  });
});

/** Runs in the page. Returns the number of frames during a ranking of about a second. */
async function framesWhileRanking() {
  let busy = true;
  let frames = 0;
  const frame = () => {
    frames++;
    if (busy) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  await reranker.rerank({ query: "how do bees survive the winter", documents: Array(5).fill(documents).flat() });
  busy = false;
  return frames;
}
