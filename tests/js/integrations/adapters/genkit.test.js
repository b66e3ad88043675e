// Genkit takes minutes to install, so this is the adapter with a stand-in for its plug-in functions. long.test.js has Genkit itself.
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { importBundled } from "../../support/package/bundled-adapter.js";

const plugin = `
export const reranker = ({ name }, rank) => ({ name, rank });
export const genkitPluginV2 = (options) => options;`;
const documents = ["a", "b", "c"].map((text) => ({ text, content: [{ text }], metadata: { source: text } }));
const query = { text: "q" };

describe("a reranker of the plug-in", () => {
  let calls, rank;
  before(async () => {
    const { ranklet } = await importBundled("genkit", { modules: { "genkit/plugin": plugin } });
    const reranker = {
      rerank: async (options) => {
        calls.push(options);
        return { results: [{ index: 2, score: 0.5 }] };
      },
    };
    calls = [];
    const [defined] = ranklet({ rerankers: { mine: reranker } }).init();
    assert.equal(defined.name, "mine");
    rank = defined.rank;
  });

  test("passes its options on, and keeps content and metadata", async () => {
    const settings = { scores: "raw", longDocuments: "chunk", maxTokensPerDocument: 9 };
    const ranked = await rank(query, documents, { k: 1, ...settings });
    assert.deepEqual(calls.pop(), { ...settings, topN: 1, query: "q", documents: ["a", "b", "c"] });
    assert.deepEqual(ranked, { documents: [{ content: [{ text: "c" }], metadata: { source: "c", score: 0.5 } }] });
    await rank(query, documents, undefined);
    assert.equal(calls.pop().topN, undefined);
  });

  test("refuses unknown options, and those whose results Genkit does not return", async () => {
    for (const options of [{ topN: 1 }, { returnDocuments: true }, { highlights: 1 }, { deadlineMs: 1000 }, { score: "raw" }, { k: 0 }]) {
      await assert.rejects(rank(query, documents, options), { code: "input", message: /unknown option "\w+"|k must be/ });
    }
    assert.deepEqual(calls, []);
  });
});
