import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { create, insertMultiple, search } from "@orama/orama";

import { importBundled } from "../../support/package/bundled-adapter.js";
import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { pluginRanklet } = await import(new URL("adapters/orama.js", dist));
const { query, documents } = question;

let reranker, expected;
before(async () => {
  reranker = await Reranker.load(undefined, { workers: 1 });
  expected = (await reranker.rerank({ query, documents })).results;
});
after(() => reranker.dispose());

async function hits(options, params = {}, plugin = pluginRanklet) {
  const database = await create({
    schema: { id: "string", body: "string" },
    plugins: [plugin({ reranker, rankFields: ["body"], ...options })],
  });
  await insertMultiple(
    database,
    documents.map((body, index) => ({ id: String(index), body })),
  );
  // Every document has a word of the query, so that the first stage finds all.
  return (await search(database, { term: query, threshold: 1, ...params })).hits;
}

describe("the plug-in", () => {
  test("ranks the hits of a search anew", async () => {
    const found = await hits();
    const known = new Set(found.map(({ id }) => Number(id)));
    assert.ok(known.size >= 2);
    assert.deepEqual(
      found.map(({ id, score }) => ({ index: Number(id), score })),
      expected.filter(({ index }) => known.has(index)),
    );
  });

  test("ranks in a build without async functions, which Orama waits for by their constructor's name", async () => {
    const { pluginRanklet: lowered } = await importBundled("orama", { target: "es2016" });
    const { afterSearch } = lowered({ reranker });
    assert.equal(Object.getPrototypeOf(afterSearch), Function.prototype);
    assert.deepEqual(await hits({}, {}, lowered), await hits());
  });

  test("returns topN hits, and leaves those after the candidates as they are", async () => {
    assert.equal((await hits({ topN: 1 })).length, 1);
    const plain = await hits({}, { term: "" });
    assert.deepEqual(
      plain.map(({ id }) => id),
      ["0", "1", "2"],
    );
    const all = await hits();
    const some = await hits({ candidates: 1 });
    assert.equal(some.length, all.length);
  });

  test("refuses unknown options and wrong values when it is created", () => {
    const wrong = [
      [{ limit: 1 }, /^pluginRanklet: unknown option "limit"/],
      [{ candidates: NaN }, /^pluginRanklet: candidates must be a whole number of 1 or more, not NaN$/],
      [{ topN: 0 }, /^pluginRanklet: topN must be a whole number of 1 or more, not 0$/],
      [{ model: "a/b" }, /^reranker is loaded already/],
    ];
    for (const [options, message] of wrong) assert.throws(() => pluginRanklet({ reranker, ...options }), { code: "input", message });
  });
});
