// Explanations are about the scores of rankings with the same options.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { layeredUrl } from "../support/pool.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "how many people live there";
const long = Array.from({ length: 60 }, (_, at) => `Sentence ${at} is about ${at % 7} people in a city.`).join(" ");
const body = "Three million people live there. It rains.";
const page = { title: "Rivers", body, author: { name: "Ann" }, tags: ["one", "two"] };
const longPage = { ...page, body: long };
const fields = { rankFields: ["title", "body", "author.name"] };

/** Documents, options of a ranking, and the text that is scored. */
const rankings = [
  [long, {}, long],
  [long, { longDocuments: "truncate" }, long],
  [long, { longDocuments: "chunk" }, long],
  [page, {}, body],
  [{ text: "People live there.", title: "Rivers" }, {}, "People live there."],
  [page, { rankFields: ["title"] }, "Rivers"],
  [page, fields, `title: Rivers\nbody: ${body}\nauthor.name: Ann`],
  [page, { structured: "yaml" }, `title: Rivers\nbody: ${body}\nauthor:\n  name: Ann\ntags:\n- one\n- two\n`],
  [page, { structured: "lines" }, `title: Rivers\nbody: ${body}\nauthor.name: Ann\ntags: one, two`],
  [page, { ...fields, structured: "yaml" }, `title: Rivers\nbody: ${body}\nauthor.name: Ann\n`],
  [longPage, fields, `title: Rivers\nbody: ${long}\nauthor.name: Ann`],
  [longPage, { ...fields, longDocuments: "chunk" }, `title: Rivers\nbody: ${long}\nauthor.name: Ann`],
  [longPage, { rankFields: ["title", "body"], structured: "yaml", longDocuments: "chunk" }, `title: Rivers\nbody: ${long}\n`],
];

for (const [where, model, options] of [
  ["on the calling thread", url, { workers: 0 }],
  ["in a worker", url, { workers: 1 }],
  ["in two workers", url, { workers: 2 }],
  ["in pipeline stages", layeredUrl, { workers: 2, split: "layers" }],
]) {
  describe(`explanations of rankings ${where}`, () => {
    let reranker;
    before(async () => (reranker = await Reranker.load(model, options)));
    after(() => reranker.dispose());

    async function rank(document, settings) {
      const { results } = await reranker.rerank({ query, documents: [document], ...settings, scores: "raw" });
      return results[0];
    }

    test("explain has the raw score that rerank gives the document with the same options", async () => {
      for (const [document, settings, text] of rankings) {
        const what = JSON.stringify([text, settings]).slice(-200);
        const { score, span } = await rank(document, settings);
        for (const unit of ["word", "sentence"]) {
          const explanation = await reranker.explain(query, document, { ...settings, unit });
          assert.equal(explanation.logit, score, what);
          assert.deepEqual(explanation.span, span, what);
          const { longDocuments } = settings;
          assert.deepEqual(explanation, await reranker.explain(query, text, { longDocuments, unit }), what);
          const cost = await reranker.explainCost(query, document, { ...settings, unit });
          assert.deepEqual(cost, await reranker.explainCost(query, text, { longDocuments, unit }), what);
          assert.ok(explanation.variants <= cost.variants, what);
        }
      }
    });

    test("compare has the raw scores that rerank gives both documents with the same options", async () => {
      for (const longDocuments of ["truncate", "chunk"]) {
        const settings = { ...fields, longDocuments };
        const { difference, a, b } = await reranker.compare(query, longPage, page, { ...settings, unit: "sentence" });
        const [first, second] = [await rank(longPage, settings), await rank(page, settings)];
        assert.deepEqual([a.logit, b.logit], [first.score, second.score]);
        assert.equal(difference, Math.fround(first.score - second.score));
        assert.deepEqual(a.span, first.span);
      }
    });

    test("the best chunk of a long document has another logit than its beginning", async () => {
      const cut = await reranker.explain(query, long, { longDocuments: "truncate", unit: "sentence" });
      const best = await reranker.explain(query, long, { longDocuments: "chunk", unit: "sentence" });
      assert.ok(best.logit > cut.logit);
      assert.deepEqual([cut.span, best.span], [undefined, (await rank(long, { longDocuments: "chunk" })).span]);
    });
  });
}
