// Explanations in a page with a strict policy: the bits of Node, responsiveness, the first contributions, and the cost.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { dist } from "../support/paths.js";
import { startSite } from "../support/servers/package-site.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const query = "How do bees survive the winter?";
const sentences = [
  "Honey bees do not sleep through the winter as many other insects do.",
  "When the days become cold, the workers gather around their queen and form a tight ball.",
  "They shiver with the muscles of their wings, and the heat keeps the middle of the hive warm.",
  "The bees outside slowly move in, and others take their places, until spring returns with flowers.",
];
const passage = sentences.join(" ");

describe("explanations in Chromium", () => {
  let site;
  let browser;
  let page;
  before(async () => {
    site = await startSite();
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(site.url);
    await page.evaluate(
      async (texts) => {
        const { Reranker } = await import("/pkg/index.js");
        Object.assign(globalThis, texts, { reranker: await Reranker.load(undefined, { workers: 1 }) });
        await reranker.rank(query, [passage]);
      },
      { query, passage },
    );
    site.requests.length = 0;
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  test("explanations and highlights are the bits of Node, and request nothing", async () => {
    const inNode = await Reranker.load(undefined, { workers: 0, device: "cpu" });
    const [explanation, comparison, { results }] = await page.evaluate(() =>
      Promise.all([reranker.explain(query, passage, { of: "both" }), reranker.compare(query, passage, "Bees sleep.", { samples: 2 }), reranker.rerank({ query, documents: [passage], highlights: 2 })]),
    );
    assert.deepEqual(explanation, await inNode.explain(query, passage, { of: "both" }));
    assert.deepEqual(comparison, await inNode.compare(query, passage, "Bees sleep.", { samples: 2 }));
    assert.deepEqual(results, (await inNode.rerank({ query, documents: [passage], highlights: 2 })).results);
    inNode.dispose();
    assert.deepEqual(site.requests, []);
    assert.ok(results[0].highlights.every(({ start, end }) => sentences.includes(passage.slice(start, end))));
  });

  test("an abort rejects within one micro-batch", async () => {
    const seen = await page.evaluate(async () => {
      const controller = new AbortController();
      let abortedAt;
      let steps = 0;
      const onProgress = ({ done }) => {
        if (done === 0) return;
        if (++steps === 1) setTimeout(() => ((abortedAt = performance.now()), controller.abort()));
      };
      const { code } = await reranker.explain(query, passage, { samples: 20, signal: controller.signal, onProgress }).catch((error) => error);
      return { code, waited: performance.now() - abortedAt };
    });
    assert.equal(seen.code, "aborted");
    assert.ok(seen.waited < 500, `rejected only after ${seen.waited} ms`);
  });

  test("a document of 60 words takes as long as ranking 60 documents of its length, and its first contributions come early", async (t) => {
    // Other programs may slow one of the two, but not in all of a few rounds.
    for (let attempt = 1; ; attempt++) {
      const { words, ratios, firstMs, explainMs } = await page.evaluate(timesOfBoth);
      const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
      const [ratio, first, whole] = [ratios, firstMs, explainMs].map(median);
      t.diagnostic(`${words} words: ${whole.toFixed(0)} ms, ${ratio.toFixed(3)} of the ranking; the first contributions after ${first.toFixed(0)} ms`);
      assert.ok(words >= 60, `${words} words`);
      // On a slow machine, they come after a small part of the time.
      if (ratio <= 1.1 && first <= Math.max(100, whole / 5)) return;
      assert.ok(attempt < 3, `${ratio} of the ranking, first after ${first} ms`);
    }
  });
});

/** Runs in the page: explains the document and ranks as many documents as it has words, in turns. */
async function timesOfBoth() {
  const timed = async (call) => {
    const started = performance.now();
    await call();
    return performance.now() - started;
  };
  const { units } = await reranker.explain(query, passage);
  const documents = units.map(() => passage);
  const found = { words: units.length, ratios: [], firstMs: [], explainMs: [] };
  for (let round = 0; round < 5; round++) {
    const started = performance.now();
    let first;
    const onProgress = ({ explanation }) => (first ??= explanation.units.some(({ contribution }) => contribution !== 0) ? performance.now() - started : undefined);
    const explainMs = await timed(() => reranker.explain(query, passage, { onProgress }));
    found.ratios.push(explainMs / (await timed(() => reranker.rerank({ query, documents }))));
    found.firstMs.push(first);
    found.explainMs.push(explainMs);
  }
  return found;
}
