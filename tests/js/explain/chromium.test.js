// Explanations in a page with a strict policy: the bits of Node, responsiveness, the first contributions, and the cost.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { explanationTimes, openReranker, passage, query, sentences } from "../support/browsers/explanation-times.js";
import { dist } from "../support/paths.js";
import { startSite } from "../support/servers/package-site.js";

const { Reranker } = await import(new URL("index.node.js", dist));

describe("explanations in Chromium", () => {
  let site;
  let browser;
  let page;
  before(async () => {
    site = await startSite();
    browser = await launchChromium();
    page = await openReranker(browser, site.url);
    site.requests.length = 0;
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  test("explanations and highlights are the bits of Node, and request nothing", async () => {
    const inNode = await Reranker.load(undefined, { workers: 0, device: "cpu" });
    const [explanation, comparison, { results }] = await page.evaluate(() =>
      Promise.all([
        reranker.explain(query, passage, { of: "both" }),
        reranker.compare(query, passage, "Bees sleep.", { samples: 2 }),
        reranker.rerank({ query, documents: [passage], highlights: 2 }),
      ]),
    );
    assert.deepEqual(explanation, await inNode.explain(query, passage, { of: "both" }));
    assert.deepEqual(comparison, await inNode.compare(query, passage, "Bees sleep.", { samples: 2 }));
    assert.deepEqual(results, (await inNode.rerank({ query, documents: [passage], highlights: 2 })).results);
    inNode.dispose();
    assert.deepEqual(site.requests, []);
    assert.ok(results[0].highlights.every(({ start, end }) => sentences.includes(passage.slice(start, end))));
  });

  test("an abort rejects at once", async () => {
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      let hasEnded = false;
      let endedAtOnce;
      let steps = 0;
      const onProgress = ({ done }) => {
        if (done === 0) return;
        if (++steps === 1)
          setTimeout(() => {
            controller.abort();
            // The next task, whatever the worker does.
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => (endedAtOnce = hasEnded);
            port2.postMessage(undefined);
          });
      };
      const { code } = await reranker
        .explain(query, passage, { samples: 20, signal: controller.signal, onProgress })
        .catch((error) => error)
        .finally(() => (hasEnded = true));
      await new Promise((done) => setTimeout(done));
      return { code, endedAtOnce };
    });
    assert.deepEqual(seen, { code: "aborted", endedAtOnce: true });
  });

  test("the first micro-batch has few variants, and the next ones have more and more", async () => {
    const { words, rounds } = await explanationTimes(page, 1);
    const [{ steps }] = rounds;
    const sizes = steps.map((done, at) => done - (steps[at - 1] ?? 0));
    assert.ok(sizes[0] <= 6 && sizes[0] <= sizes[1] && sizes[1] < sizes[2], `${sizes}`);
    // Further ones are as large as those of a ranking.
    assert.ok(
      sizes.slice(2, -1).every((size) => size >= 6),
      `${sizes}`,
    );
    assert.equal(steps.at(-1), 2 + 2 * sentences.length + 2 * words);
  });

  test("a document of 60 words takes less time than ranking 60 documents of its length, and its first contributions come early", async (t) => {
    // Other programs may slow one of the two, but not in all of a few rounds.
    for (let attempt = 1; ; attempt++) {
      const { words, rounds } = await explanationTimes(page, 5);
      const median = (timeOf) => rounds.map(timeOf).sort((a, b) => a - b)[Math.floor(rounds.length / 2)];
      const ratio = median(({ explainMs, rankMs }) => explainMs / rankMs);
      const first = median(({ firstMs }) => firstMs);
      const whole = median(({ explainMs }) => explainMs);
      t.diagnostic(
        `${words} words: ${whole.toFixed(0)} ms, ${ratio.toFixed(3)} of the ranking; the first contributions after ${first.toFixed(0)} ms`,
      );
      assert.ok(words >= 60, `${words} words`);
      // On a slow machine, they come after a small part of the time.
      if (ratio <= 0.9 && first <= Math.max(100, whole / 10)) return;
      assert.ok(attempt < 3, `${ratio} of the ranking, first after ${first} ms`);
    }
  });
});
