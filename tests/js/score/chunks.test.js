// Long documents in chunks: the score and the span of the best chunk.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));

const query = "What is the capital of France?";
const answer = "The capital of France is Paris, a city on the river Seine.";
const filler = Array.from({ length: 300 }, (_, at) => `On day ${at} the gardener 👩‍🌾 painted gate ${at * 7} blue.`).join(" ");
const documents = [filler, `${filler} ${answer}`, "A short one.", "", `${answer} ${filler}`];

for (const workers of [0, 1, 2]) {
  describe(`documents in chunks, with workers: ${workers}`, () => {
    let reranker;
    let results;
    before(async () => {
      reranker = await Reranker.load(undefined, { workers });
      ({ results } = await reranker.rerank({ query, documents, longDocuments: "chunk" }));
    });
    after(() => reranker.dispose());

    test("with chunks, an answer is found anywhere in a long document, and the span contains it", async () => {
      assert.deepEqual(new Set(results.slice(0, 2).map(({ index }) => index)), new Set([1, 4]));
      for (const { index, span } of results.slice(0, 2)) {
        assert.ok(documents[index].slice(span.start, span.end).includes(answer));
        assert.ok(span.end - span.start < documents[index].length / 2);
      }
      const { results: cut } = await reranker.rerank({ query, documents });
      assert.deepEqual(
        cut.map(({ span }) => span),
        Array(5).fill(undefined),
      );
      const of = (list, index) => list.find((result) => result.index === index);
      assert.ok(of(results, 1).score > of(cut, 1).score);
      assert.equal(of(results, 2).score, of(cut, 2).score);
      assert.deepEqual(of(results, 2).span, { start: 0, end: documents[2].length });
      assert.deepEqual(of(results, 3).span, { start: 0, end: 0 });
    });

    test("the score of a document in chunks is that of its best chunk alone", async () => {
      const [{ index, score, span }] = results;
      const [alone] = (await reranker.rerank({ query, documents: [documents[index].slice(span.start, span.end)] })).results;
      assert.equal(alone.score, score);
    });

    test("a stream and a collection give the same results for chunks as rerank", async () => {
      const streamed = (await collect(reranker.stream({ query, documents, longDocuments: "chunk" }))).flatMap((part) => part.results);
      const best = (list) => list.toSorted((a, b) => b.score - a.score || a.index - b.index);
      assert.deepEqual(best(streamed), results);
      const collection = await reranker.prepare(documents, { longDocuments: "chunk" });
      assert.deepEqual((await collect(collection.rank(query))).at(-1).results, results);
      assert.deepEqual(
        (await collect(collection.rank(query, { candidates: [4, 2] }))).at(-1).results.map(({ index }) => index),
        [4, 2],
      );
    });

    test("maxTokensPerDocument cuts a document before it is split into chunks", async () => {
      const limited = { query, documents, longDocuments: "chunk", maxTokensPerDocument: 700 };
      const found = (await reranker.rerank(limited)).results.find(({ index }) => index === 1);
      assert.ok(found.span.end < documents[1].indexOf(answer));
    });

    test("an abort ends a call between chunks", async () => {
      const stop = new AbortController();
      const long = [documents[0].repeat(40)];
      setTimeout(() => stop.abort(), 50);
      await rejectsWith("aborted", /./, () => reranker.rerank({ query, documents: long, longDocuments: "chunk", signal: stop.signal }));
    });
  });
}

test("spans refer to the text that rankFields produce", async () => {
  const reranker = await Reranker.load(undefined, { workers: 0 });
  const row = { title: "Geography", body: `${filler} ${answer}` };
  const { results } = await reranker.rerank({
    query,
    documents: [row],
    rankFields: ["title", "body"],
    longDocuments: "chunk",
    returnDocuments: true,
  });
  const [{ span, document }] = results;
  assert.equal(document, row);
  assert.ok(`title: ${row.title}\nbody: ${row.body}`.slice(span.start, span.end).endsWith(answer));
  reranker.dispose();
});

test("a model with several labels refuses chunks", async () => {
  const reranker = await Reranker.load(checkpoint((labels) => labels > 1).url, { workers: 0 });
  await rejectsWith("input", /label/, () => reranker.rerank({ query, documents, longDocuments: "chunk" }));
  reranker.dispose();
});
