// Explanations by engines that are shared, lost, replaced by the CPU, or behind a score cache.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";

import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { loadPool, requestsOf, rerankerOn } from "../support/pool.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { RankletError } = await import(new URL("errors.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "how many people live there";
const document = "The city has many parks. Three million people live there, say some. It rains.";
const many = { samples: 60 };

let reference;
let expected;
before(async () => {
  reference = await Reranker.load(url, { workers: 0 });
  expected = await reference.explain(query, document, many);
});
after(() => reference.dispose());

describe("explanations in a pool", () => {
  let pool;
  afterEach(() => pool?.reranker.dispose());

  test("the variants of one explanation are spread over the workers", async () => {
    pool = await loadPool(3);
    assert.deepEqual(await pool.reranker.explain(query, document, many), expected);
    const scored = pool.started.map((worker) => requestsOf(worker, "score").reduce((sum, { job }) => sum + job.variants.length, 0));
    assert.equal(
      scored.reduce((a, b) => a + b),
      expected.variants,
    );
    for (const count of scored) assert.ok(count > expected.variants / 10, `${scored}`);
  });

  for (const lost of [[0], [1], [0, 1]]) {
    test(`an explanation survives that ${lost.length} of 2 workers end during it (${lost})`, async () => {
      pool = await loadPool(2);
      const onProgress = ({ done }) => {
        if (done > 0) for (const at of lost.splice(0)) void pool.started[at].worker.terminate();
      };
      assert.deepEqual(await pool.reranker.explain(query, document, { ...many, onProgress }), expected);
    });
  }

  test("a plan survives that its worker ends", async () => {
    pool = await loadPool(1);
    const explaining = pool.reranker.explain(query, document, many);
    void pool.started[0].worker.terminate();
    assert.deepEqual(await explaining, expected);
    assert.equal(pool.started.length, 2);
    const { results } = await pool.reranker.rerank({ query, documents: [document], highlights: 1 });
    assert.equal(results[0].highlights.length, 1);
  });
});

test("the only worker that ends rejects its explanation, and the next one starts another", async () => {
  let worker;
  process.once("worker", (started) => (worker = started));
  const reranker = await Reranker.load(url, { workers: 1 });
  const onProgress = ({ done }) => done > 0 && void worker.terminate();
  // Many more variants than are scored before the worker ends.
  await assert.rejects(reranker.explain(query, document, { samples: 2000, onProgress }), { code: "internal" });
  assert.deepEqual(await reranker.explain(query, document, many), expected);
  reranker.dispose();
});

test("users of a shared engine have explanations of their own", async () => {
  const [first, second] = await Promise.all([Reranker.shared(url, { workers: 1 }), Reranker.shared(url, { workers: 1 })]);
  const explaining = first.explain(query, document, { ...many, onProgress: ({ done }) => done > 0 && first.dispose() });
  const [ended, explanation] = await Promise.all([explaining.catch(({ code }) => code), second.explain(query, document, many)]);
  assert.equal(ended, "disposed");
  assert.deepEqual(explanation, expected);
  await assert.rejects(first.explain(query, document), { code: "disposed" });
  assert.deepEqual(await second.explainCost(query, document, many), { variants: expected.variants });
  second.dispose();
});

for (const workers of [0, 2]) {
  test(`variants neither use nor fill a score cache, with ${workers} workers`, async () => {
    // Room for a few scores, which variants would displace.
    const reranker = await Reranker.load(url, { workers, scoreCache: { maxBytes: 1500 } });
    const documents = ["a", "b", "c"];
    await reranker.rerank({ query, documents });
    assert.deepEqual(await reranker.explain(query, document, many), expected);
    assert.deepEqual(await reranker.explain(query, document, many), expected);
    assert.equal((await reranker.rerank({ query, documents })).timings.cacheHits, 3);
    assert.equal((await reranker.rerank({ query, documents: [document] })).timings.cacheHits, 0);
    reranker.dispose();
  });
}

test("if the CPU takes over from a GPU, an explanation starts again", async () => {
  const scorer = new LosingScorer();
  const reranker = rerankerOn(scorer);
  const seen = [];
  const { logit, units } = await reranker.explain("q", "a b", { onProgress: ({ done }) => seen.push(done) });
  assert.deepEqual(seen, [0, 2, 0, 2, 4]);
  assert.equal(logit, 10, "no logit of the GPU is left");
  assert.deepEqual(
    units.map(({ contribution }) => contribution),
    [-2, -3],
  );
});

/** A scorer whose GPU fails after two variants. The logits of the CPU are 10 and more. */
class LosingScorer {
  info = { numLabels: 1, backend: { device: "webgpu", workers: 0, reason: "" } };

  async plan() {
    return { variants: 4, chunks: 0, units: Uint32Array.of(1, 0, 1, 1, 2, 3), terms: Uint32Array.of(0, 0, 2, 1, 0, 3) };
  }

  async score({ variants }, { onPartial }) {
    const base = this.info.backend.device === "cpu" ? 10 : 0;
    for (const part of [variants.subarray(0, 2), variants.subarray(2)]) {
      await new Promise(setImmediate);
      if (part[0] === 2 && base === 0) {
        this.info = { ...this.info, backend: { ...this.info.backend, device: "cpu" } };
        throw new RankletError("device-lost", "lost");
      }
      onPartial({ scores: Float32Array.from(part, (variant) => base + variant), tokens: 1, engineMs: 1 });
    }
  }

  dispose() {}
}
