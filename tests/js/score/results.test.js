import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { assertClose, rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker, RankletError, errorCodes } = await import(new URL("index.node.js", dist));
const one = checkpoint((labels) => labels === 1);
const several = checkpoint((labels) => labels > 1);

const query = "How many people live in Berlin?";
const documents = ["Bread and butter.", "Berlin has about three and a half million people.", "A long way to go.", "Berlin."];

describe("results", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(one.url)));
  after(() => reranker.dispose());

  test("results are sorted by score and come with usage, backend and timings", async () => {
    const { results, usage, backend, timings } = await reranker.rerank({ query, documents });
    const scores = await reranker.score(documents.map((document) => [query, document]));
    assert.deepEqual(results.map(({ index }) => index).sort(), [0, 1, 2, 3]);
    for (const { index, score } of results) assert.equal(score, scores[index]);
    for (const [at, { score }] of results.entries()) assert.ok(at === 0 || score <= results[at - 1].score);
    assert.equal(usage.documents, 4);
    assert.ok(Number.isInteger(usage.tokens) && usage.tokens > 4 * 3);
    assert.deepEqual(backend, reranker.info.backend);
    assert.deepEqual(Object.keys(backend).sort(), ["device", "dtype", "engine", "reason", "split", "workers"]);
    assert.ok(timings.engineMs > 0 && timings.totalMs >= timings.engineMs);
  });

  test("results with equal scores keep the order of the documents", async () => {
    const { results } = await reranker.rerank({ query, documents: ["same", "other words", "same", "same"] });
    const same = results.filter(({ index }) => index !== 1);
    assert.deepEqual(
      same.map(({ index }) => index),
      [0, 2, 3],
    );
    assert.equal(new Set(same.map(({ score }) => score)).size, 1);
  });

  test("topN and topK return the best results and may exceed the number of documents", async () => {
    const all = await reranker.rerank({ query, documents });
    const two = await reranker.rerank({ query, documents, topN: 2 });
    assert.deepEqual(two.results, all.results.slice(0, 2));
    assert.equal(two.usage.documents, 4);
    assert.deepEqual((await reranker.rerank({ query, documents, topN: 99 })).results, all.results);
    const ranked = await reranker.rank(query, documents, { topK: 3 });
    assert.deepEqual(
      ranked,
      all.results.slice(0, 3).map(({ index, score }) => ({ corpus_id: index, score })),
    );
    assert.equal((await reranker.rank(query, documents, { topK: 99 })).length, 4);
  });

  test("results contain the documents only with returnDocuments", async () => {
    const objects = documents.map((text, id) => ({ id, text }));
    for (const { index, document } of (await reranker.rerank({ query, documents: objects, returnDocuments: true })).results) {
      assert.equal(document, objects[index]);
    }
    for (const result of (await reranker.rerank({ query, documents: objects })).results) assert.ok(!("document" in result));
    for (const { corpus_id, text } of await reranker.rank(query, objects, { returnDocuments: true })) {
      assert.equal(text, documents[corpus_id]);
    }
    for (const row of await reranker.rank(query, documents, { returnDocuments: false })) assert.ok(!("text" in row));
  });

  test("an object with a text scores as the text", async () => {
    const strings = await reranker.rerank({ query, documents });
    const objects = await reranker.rerank({ query, documents: documents.map((text) => ({ text, title: "unused" })) });
    assert.deepEqual(objects.results, strings.results);
  });

  test("rankFields score the named fields as lines, in the given order", async () => {
    const rows = [
      { title: "Berlin", year: 1237, open: true, text: "unused" },
      { title: "Bonn", year: 11, open: false },
    ];
    const fields = await reranker.rerank({ query, documents: rows, rankFields: ["year", "title", "open"] });
    const written = await reranker.rerank({
      query,
      documents: ["year: 1237\ntitle: Berlin\nopen: true", "year: 11\ntitle: Bonn\nopen: false"],
    });
    assert.deepEqual(fields.results, written.results);
    const wrong = { query, documents: [rows[0], { title: "Bonn", year: {} }], rankFields: ["title", "year"] };
    await rejectsWith("input", /documents\[1\] field "year" of rankFields must be a string.*not an object/, () => reranker.rerank(wrong));
  });

  test("without documents, results are empty", async () => {
    assert.deepEqual((await reranker.rerank({ query, documents: [] })).results, []);
    assert.deepEqual(await reranker.rank(query, []), []);
    assert.deepEqual(await reranker.score([]), new Float32Array(0));
  });

  test("empty strings, NUL, lone surrogates and long texts have finite scores", async () => {
    const odd = ["", "\0", "\ud800", "[SEP] [CLS]", "long ".repeat(20_000)];
    const scores = await reranker.score(odd.map((text) => [text, text]));
    assert.ok(scores.every(Number.isFinite));
    assert.deepEqual(await reranker.score([["\ud800", "a\udc00"]]), await reranker.score([["\ufffd", "a\ufffd"]]));
  });

  test("a score does not depend on the other documents", async () => {
    const alone = await reranker.score([[query, documents[1]]]);
    const { results } = await reranker.rerank({ query, documents });
    assertClose([results.find(({ index }) => index === 1).score], alone, 0, "alone and among others");
  });
});

describe("several labels", () => {
  test("a model with several labels scores rows of labels, and rerank and rank refer to score", async () => {
    const reranker = await Reranker.load(several.url);
    const labels = several.expected.num_labels;
    assert.equal(reranker.info.numLabels, labels);
    const pairs = documents.map((document) => [query, document]);
    const all = await reranker.score(pairs);
    assert.equal(all.length, pairs.length * labels);
    assertClose(await reranker.score([pairs[2]]), all.slice(2 * labels, 3 * labels), 0, "the third row");
    await rejectsWith("input", /rerank needs a model with one label.*score\(\)/, () => reranker.rerank({ query, documents }));
    await rejectsWith("input", /rank needs a model with one label.*score\(\)/, () => reranker.rank(query, documents));
    reranker.dispose();
  });
});

test("info describes the loaded model and is frozen", async () => {
  const reranker = await Reranker.load(one.url);
  const { info } = reranker;
  assert.equal(info.modelType, "bert");
  assert.equal(info.numLabels, 1);
  for (const count of [info.maxLength, info.parameters, info.hiddenSize, info.layers, info.weights.bytes]) {
    assert.ok(Number.isInteger(count) && count > 0, JSON.stringify(info));
  }
  const { workers, ...backend } = info.backend;
  assert.ok(Number.isInteger(workers) && workers > 0, JSON.stringify(info));
  for (const word of [info.architecture, info.activation, info.weights.format, ...Object.values(backend)]) {
    assert.ok(typeof word === "string" && word !== "", JSON.stringify(info));
  }
  assert.ok(Array.isArray(info.warnings));
  assert.throws(() => (info.backend.device = "gpu"), TypeError);
  reranker.dispose();
});

test("a RankletError is an Error with a code", () => {
  const error = new RankletError("input", "what", { cause: 1 });
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.code, error.message, error.cause], ["RankletError", "input", "what", 1]);
  assert.ok(errorCodes.includes("internal"));
});
