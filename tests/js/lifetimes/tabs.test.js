// Reranker.shared in two tabs of Chromium: one engine, which outlives the tab that started it and ends with the last.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { fixture, query, small, withTabs } from "../support/browsers/shared-tabs.js";
import { unmappedMemoryOfDescendants } from "../support/children/memory.js";
import { filesIn, startHub } from "../support/servers/hub.js";
import { unlessProc } from "../support/skips.js";
import { until } from "../support/until.js";

describe("Reranker.shared in tabs", { timeout: 600_000 }, () => {
  const tabs = withTabs();
  const { openTab, share, ranked, dispose, whenEnded } = tabs;
  const workersOf = (...opened) => opened.map((tab) => tab.workers().length);
  /** Waits until the driver, which hears of workers later than their tabs, has these numbers of them. */
  const whenWorkersAre = (expected, opened, inOrder = (counts) => counts) =>
    until(() => inOrder(workersOf(...opened)).join() === expected.join());

  test("two tabs have one engine, whose scores are those of load, and the last release ends it", async () => {
    const [first, second] = [await openTab(), await openTab()];
    const expected = await first.evaluate(async (query) => {
      const own = await Reranker.load(small);
      const results = await own.rank(query, documents);
      own.dispose();
      return results;
    }, query);
    tabs.site.requests.length = 0;
    const shared = await Promise.all([share(first), share(second)]);
    for (const { backend, warnings } of shared) assert.deepEqual([backend.shared, warnings], ["tabs", []]);
    assert.deepEqual(shared[0].backend, shared[1].backend);
    assert.equal(tabs.site.requests.filter((path) => path.endsWith("model.safetensors")).length, 1);
    const { workers } = shared[0].backend;
    await whenWorkersAre([0, workers], [first, second], (counts) => counts.sort());
    assert.deepEqual(await Promise.all([ranked(first), ranked(second)]), [expected, expected]);
    await dispose(first);
    assert.deepEqual(await ranked(second), expected);
    await whenWorkersAre([0, workers], [first, second]);
    await dispose(second);
    await whenEnded(second);
    await whenWorkersAre([0], [second]);
    // A new shared worker starts after the one that has ended.
    for (let round = 0; round < 3; round++) {
      assert.equal((await share(first)).backend.shared, "tabs");
      await dispose(first);
    }
  });

  test("tabs share the model of a Hub id, which one of them downloads and stores", async (t) => {
    const hub = await startHub();
    t.after(() => hub.stop());
    hub.publish("some-org/a.model", filesIn(fixture.url));
    const tabs = [await openTab(), await openTab()];
    const shared = await Promise.all(tabs.map((tab) => tab.evaluate((baseUrl) => share({ baseUrl }, "some-org/a.model"), hub.url)));
    for (const { backend, warnings } of shared) assert.deepEqual([backend.shared, warnings], ["tabs", []]);
    assert.equal(hub.requests.filter(({ origin, path }) => origin === "hub" && path.endsWith("/model.safetensors")).length, 1);
    const [first, second] = await Promise.all(tabs.map(ranked));
    assert.deepEqual(first, second);
    await dispose(tabs[0]);
    assert.deepEqual(await ranked(tabs[1]), first);
    await dispose(tabs[1]);
    await whenEnded(tabs[1]);
  });

  test("explanations, comparisons and highlights are those of a reranker of the tab, and end with it", async () => {
    const [first, second] = [await openTab(), await openTab()];
    await share(first);
    await share(second);
    const seen = await second.evaluate(async (query) => {
      const [a, b] = documents;
      const calls = (reranker) =>
        Promise.all([
          reranker.explain(query, a, { of: "both", samples: 3 }),
          reranker.compare(query, a, b),
          reranker.rerank({ query, documents: [`${a} ${b}`], highlights: 1 }).then(({ results }) => results),
        ]);
      const own = await Reranker.load(small);
      const expected = await calls(own);
      own.dispose();
      return { expected, shared: await calls(reranker) };
    }, query);
    assert.deepEqual(seen.shared, seen.expected);
    const disposed = await first.evaluate(async (query) => {
      const onProgress = ({ done }) => done > 0 && reranker.dispose();
      return errorOf(reranker.explain(query, documents[0], { samples: 100, onProgress }));
    }, query);
    assert.equal(disposed.code, "disposed");
    assert.equal((await ranked(second)).length, 60);
  });

  test("a second tab takes hardly any memory, and one with an engine of its own does", {
    skip: unlessProc("smaps_rollup"),
  }, async (t) => {
    const [first, second, third] = [await openTab(), await openTab(), await openTab()];
    // A busy machine takes its time to free what loading needed.
    const settled = async () => {
      let [last, megabytes] = [Number.POSITIVE_INFINITY, 0];
      for (let round = 0; round < 60 && Math.abs(last - megabytes) > 1; round++) {
        last = megabytes;
        await sleep(500);
        megabytes = unmappedMemoryOfDescendants() / 1e6;
      }
      return megabytes;
    };
    const ranks = async (tab, load) => {
      await tab.evaluate(load);
      await ranked(tab);
      return settled();
    };
    const blank = await settled();
    const one = await ranks(first, () => share({ workers: 1 }, defaultModel));
    const two = await ranks(second, () => share({ workers: 1 }, defaultModel));
    const own = await ranks(third, async () => void (globalThis.reranker = await Reranker.load(defaultModel, { workers: 1 })));
    const [firstMB, secondMB, ownMB] = [one - blank, two - one, own - two].map(Math.round);
    t.diagnostic(`the first tab takes ${firstMB} MB, a second ${secondMB} MB, a tab with an engine of its own ${ownMB} MB`);
    assert.ok(secondMB < firstMB / 4 && secondMB < ownMB / 3, `${firstMB}, ${secondMB}, ${ownMB} MB`);
  });

  for (const [how, end] of [
    ["is closed", (tab) => tab.close()],
    ["crashes", (tab) => void tab.goto("chrome://crash").catch(() => {})],
    ["goes to another page", (tab) => tab.goto("about:blank")],
  ]) {
    test(`a tab and its calls survive that the tab with the workers ${how}`, async () => {
      const [first, second] = [await openTab(), await openTab()];
      await share(first);
      await share(second);
      const [prepared, expected] = await second.evaluate(async (query) => {
        globalThis.collection = await reranker.prepare(documents);
        return [(await all(collection.rank(query))).at(-1).results, await reranker.rank(query, documents)];
      }, query);
      await until(() => first.workers().length > 0);
      const running = second.evaluate(async (query) => {
        const many = Array.from({ length: 100 }, () => documents).flat();
        const parts = reranker.stream({ query, documents: many });
        let done = 0;
        for await (const part of parts) {
          done = part.done;
          globalThis.isStreaming = true;
        }
        return done;
      }, query);
      await until(() => second.evaluate(() => globalThis.isStreaming === true));
      await end(first);
      // Chromium runs the shared worker in the process of the tab that started it.
      if (how === "crashes") await assert.rejects(running, /the shared worker stopped/);
      else assert.equal(await running, 6000);
      assert.deepEqual(await ranked(second), expected);
      assert.deepEqual(await second.evaluate(async (query) => (await all(collection.rank(query))).at(-1).results, query), prepared);
      await until(() => second.workers().length > 0);
      await dispose(second);
      await whenEnded(second);
    });
  }

  test("abort, stream, progress, collections and errors are those of a reranker of the tab", async () => {
    const [first, second] = [await openTab(), await openTab()];
    await share(first);
    await share(second);
    const seen = await second.evaluate(async (query) => {
      const progress = [];
      const controller = new AbortController();
      const onProgress = ({ done, total }) => progress.push([done, total]);
      await reranker.rerank({ query, documents, onProgress });
      const aborted = reranker.rerank({
        query,
        documents: Array.from({ length: 100 }, () => documents).flat(),
        signal: controller.signal,
        onProgress: () => controller.abort("enough"),
      });
      const cause = await aborted.catch((error) => [error.code, error.cause]);
      const parts = await all(reranker.stream({ query, documents }));
      const collection = await reranker.prepare(documents, {});
      const candidates = (await all(collection.rank(query, { candidates: [3, 1] }))).at(-1);
      collection.dispose();
      const disposed = await errorOf(all(collection.rank(query)));
      const input = await errorOf(reranker.rerank({ query, documents: [3] }));
      return { progress: progress.at(-1), cause, done: parts.at(-1).done, candidates: candidates.results.length, disposed, input };
    }, query);
    assert.deepEqual([seen.progress, seen.cause, seen.done, seen.candidates], [[60, 60], ["aborted", "enough"], 60, 2]);
    assert.deepEqual([seen.disposed.name, seen.disposed.code, seen.input.code], ["RankletError", "disposed", "input"]);
    // Each tab has its own collections and calls.
    const others = await first.evaluate(async (query) => {
      const collection = await reranker.prepare(["a", "b", "c"]);
      const call = errorOf(reranker.rerank({ query, documents: Array.from({ length: 100 }, () => documents).flat() }));
      const { total } = (await all(collection.rank(query))).at(-1);
      reranker.dispose();
      return [total, (await call).code];
    }, query);
    assert.deepEqual(others, [3, "disposed"]);
    assert.equal((await ranked(second)).length, 60);
  });

  test("a tab that waits for another one's download gets its progress, and takes over if that tab leaves", async () => {
    const [first, second, third] = [await openTab(), await openTab(), await openTab()];
    let requests = 0;
    await tabs.context.route("**/model.safetensors", async (route) => {
      // The first tab's download never ends.
      if (++requests > 1) await route.continue();
    });
    const loading = first.evaluate(() => errorOf(share({}))).catch(() => "closed");
    await until(() => requests > 0);
    const waits = (tab, onProgress) => tab.evaluate(onProgress);
    const shared = waits(second, async () => {
      globalThis.files = new Set();
      return share({ onProgress: ({ file }) => files.add(file) });
    });
    const aborted = waits(third, () => errorOf(share({ signal: AbortSignal.timeout(300) })));
    assert.equal((await aborted).code, "aborted");
    await first.close();
    assert.equal(await loading, "closed");
    assert.equal((await shared).backend.shared, "tabs");
    assert.ok((await second.evaluate(() => [...files])).includes("model.safetensors"));
    assert.equal((await ranked(second)).length, 60);
  });

  test("a shared worker that stops is replaced, with the collections of its tabs", async () => {
    const tab = await openTab();
    await share(tab);
    const rank = () => tab.evaluate(async (query) => (await all(collection.rank(query))).at(-1).results, query);
    await tab.evaluate(async () => void (globalThis.collection = await reranker.prepare(documents)));
    const expected = await rank();
    // Much more than is scored until the shared worker stops.
    const running = tab.evaluate((query) => {
      const onProgress = () => (globalThis.isScoring = true);
      return errorOf(reranker.rerank({ query, documents: Array.from({ length: 2000 }, () => documents).flat(), onProgress }));
    }, query);
    await until(() => tab.evaluate(() => globalThis.isScoring === true));
    const session = await tabs.browser.newBrowserCDPSession();
    const { targetInfos } = await session.send("Target.getTargets");
    const { targetId } = targetInfos.find(({ type }) => type === "shared_worker");
    const { sessionId } = await session.send("Target.attachToTarget", { targetId, flatten: false });
    const evaluated = new Promise((resolve) => session.once("Target.receivedMessageFromTarget", resolve));
    await session.send("Target.sendMessageToTarget", {
      sessionId,
      message: JSON.stringify({ id: 1, method: "Runtime.evaluate", params: { expression: "setTimeout(() => self.close(), 100)" } }),
    });
    await evaluated;
    // Chromium starts no other shared worker of this name while a debugger is attached.
    await session.send("Target.detachFromTarget", { sessionId });
    const { code, message } = await running;
    assert.equal(code, "internal", message);
    assert.deepEqual(await rank(), expected);
    await dispose(tab);
    await whenEnded(tab);
  });

  describe("without a shared worker, an engine is shared on the thread", () => {
    const shareBytes = async () => {
      const files = {};
      for (const name of ["config.json", "tokenizer.json", "model.safetensors"]) files[name] = await (await fetch(small + name)).blob();
      return share({}, files);
    };
    for (const [why, load, { prepare, blocked, warning } = {}] of [
      ["the browser has none, as Chrome on Android", () => share({}), { prepare: () => delete globalThis.SharedWorker }],
      [
        "the tab is not allowed to use locks",
        () => share({}),
        {
          prepare: () => (LockManager.prototype.request = () => Promise.reject(new DOMException("denied", "SecurityError"))),
          warning: /denied/,
        },
      ],
      [
        "its program is missing",
        () => share({}),
        { blocked: "**/shared-worker.js", warning: /not shared with other tabs.*program could not be loaded/ },
      ],
      ["workers is 0", () => share({ workers: 0 })],
      ["the option fetch is given", () => share({ fetch: (...args) => fetch(...args) })],
      ["the files are bytes", shareBytes],
    ]) {
      test(`if ${why}`, async () => {
        const tab = await openTab(prepare);
        if (blocked !== undefined) await tab.route(blocked, (route) => route.fulfill({ status: 404 }));
        const { backend, warnings } = await tab.evaluate(load);
        assert.equal(backend.shared, "page");
        assert.equal(warnings.length, warning === undefined ? 0 : 1, warnings.join());
        if (warning !== undefined) assert.match(warnings[0], warning);
        assert.equal((await ranked(tab)).length, 60);
        await dispose(tab);
      });
    }
  });
});
