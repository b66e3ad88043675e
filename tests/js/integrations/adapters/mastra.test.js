import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createScorer } = await import(new URL("adapters/mastra.js", dist));
const { query, documents } = question;

describe("a scorer", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
  after(() => reranker.dispose());

  test("scores the calls of one microtask at once, with a sigmoid", async () => {
    const calls = [];
    const counted = {
      info: reranker.info,
      score: (pairs, options) => {
        calls.push(pairs.length);
        return reranker.score(pairs, options);
      },
    };
    const scorer = createScorer({ reranker: counted });
    const scores = await Promise.all(documents.map((text) => scorer.getRelevanceScore(query, text)));
    const expected = await reranker.score(
      documents.map((text) => [query, text]),
      { scores: "sigmoid" },
    );
    assert.deepEqual(scores, [...expected]);
    assert.deepEqual(calls, [3]);
    assert.equal(await scorer.getRelevanceScore(query, documents[0]), expected[0]);
    assert.deepEqual(calls, [3, 1]);
  });

  test("rejects every call of a batch that fails, and works afterwards", async () => {
    let attempts = 0;
    const failing = {
      info: reranker.info,
      score: async (pairs, options) => (attempts++ === 0 ? Promise.reject(new Error("failed")) : reranker.score(pairs, options)),
    };
    const scorer = createScorer({ reranker: failing });
    const results = await Promise.allSettled(documents.map((text) => scorer.getRelevanceScore(query, text)));
    assert.deepEqual(
      results.map(({ status }) => status),
      ["rejected", "rejected", "rejected"],
    );
    assert.ok((await scorer.getRelevanceScore(query, documents[0])) > 0);
  });

  test("refuses a model with several labels, whose scores are not one per text", async () => {
    const scorer = createScorer({ reranker: { info: { numLabels: 3 }, score: async () => [0.1, 0.2, 0.3] } });
    await assert.rejects(scorer.getRelevanceScore(query, documents[0]), {
      code: "input",
      message: /needs a model with one label, and this one has 3/,
    });
  });

  test("refuses an unknown option", () => {
    assert.throws(() => createScorer({ reranker, scores: "raw" }), { code: "input", message: /createScorer: unknown option "scores"/ });
  });

  test("refuses options of loading next to a loaded reranker, as the other adapters do", async () => {
    const { RankletRerank } = await import(new URL("adapters/langchain.js", dist));
    const { pluginRanklet } = await import(new URL("adapters/orama.js", dist));
    for (const create of [createScorer, (options) => new RankletRerank(options), pluginRanklet]) {
      for (const extra of [{ model: "ranklet/small" }, { loadOptions: { dtype: "f32" } }]) {
        assert.throws(() => create({ reranker, ...extra }), { code: "input", message: /leave them out/ });
      }
    }
  });
});
