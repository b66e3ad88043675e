import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "How many people live in Berlin?";
const documents = [
  "Bread and butter.",
  "Berlin has about three and a half million people.",
  "A long way to go.",
  "Berlin.",
  "Many people live in Paris.",
];

let reranker;
before(async () => (reranker = await Reranker.load(url)));
after(() => reranker.dispose());

describe("minScore", () => {
  let all;
  before(async () => (all = (await reranker.rerank({ query, documents })).results));

  test("rerank leaves out lower scores, and keeps an equal one", async () => {
    const { results, usage, unscored } = await reranker.rerank({ query, documents, minScore: all[2].score });
    assert.deepEqual(results, all.slice(0, 3));
    assert.equal(usage.documents, documents.length);
    assert.deepEqual(unscored, []);
    assert.deepEqual((await reranker.rerank({ query, documents, minScore: all[2].score, topN: 2 })).results, all.slice(0, 2));
    assert.deepEqual((await reranker.rerank({ query, documents, minScore: all[0].score + 1e-6 })).results, []);
  });

  test("minScore is compared with the scores that are returned", async () => {
    const raw = (await reranker.rerank({ query, documents, scores: "raw" })).results;
    const sigmoids = await reranker.rerank({ query, documents, scores: "sigmoid", minScore: 1 / (1 + Math.exp(-raw[1].score)) - 1e-6 });
    assert.equal(sigmoids.results.length, 2);
    assert.equal((await reranker.rerank({ query, documents, scores: "raw", minScore: raw[1].score })).results.length, 2);
  });

  test("rank, stream and collection.rank leave out lower scores too", async () => {
    const minScore = all[2].score;
    assert.deepEqual(
      await reranker.rank(query, documents, { minScore }),
      all.slice(0, 3).map(({ index, score }) => ({ corpus_id: index, score })),
    );
    assert.equal((await reranker.rank(query, documents, { min_score: minScore, top_k: 1 })).length, 1);
    const parts = await collect(reranker.stream({ query, documents, minScore }));
    assert.deepEqual(
      parts.flatMap(({ results }) => results.map(({ index }) => index)).sort(),
      all
        .slice(0, 3)
        .map(({ index }) => index)
        .sort(),
    );
    // A part without results still counts its documents.
    const none = await collect(reranker.stream({ query, documents, minScore: all[0].score + 1e-6 }));
    for (const found of [parts, none]) assert.equal(found.at(-1).done, documents.length);
    assert.ok(none.every(({ results }) => results.length === 0));
    const collection = await reranker.prepare(documents);
    const { results, done } = (await collect(collection.rank(query, { minScore }))).at(-1);
    assert.deepEqual(results, all.slice(0, 3));
    assert.equal(done, documents.length);
    collection.dispose();
  });
});

describe("fuse", () => {
  const firstStage = [5, null, 2, 4, 1];

  /** Reciprocal rank fusion, written down from its formula. */
  function expected(scores) {
    const rank = (values, index) =>
      1 + values.filter((value, other) => value !== null && (value > values[index] || (value === values[index] && other < index))).length;
    return scores.map((score, index) => ({
      index,
      modelScore: score,
      score: 1 / (60 + rank(scores, index)) + (firstStage[index] === null ? 0 : 1 / (60 + rank(firstStage, index))),
    }));
  }

  let scores;
  before(async () => (scores = [...(await reranker.score(documents.map((document) => [query, document])))]));

  test("rerank orders by both rankings and returns both scores", async () => {
    const { results } = await reranker.rerank({ query, documents, fuse: { firstStage, method: "rrf" } });
    assert.deepEqual(
      results,
      expected(scores).sort((a, b) => b.score - a.score),
    );
    const linear = await reranker.rerank({ query, documents, fuse: { firstStage, method: "linear", weight: 0 } });
    assert.deepEqual(
      linear.results.map(({ index, score }) => [index, score]),
      [
        [0, 1],
        [3, 0.75],
        [2, 0.25],
        [1, 0],
        [4, 0],
      ],
    );
  });

  test("minScore is compared with the model's score", async () => {
    const minScore = [...scores].sort((a, b) => b - a)[1];
    const { results } = await reranker.rerank({ query, documents, minScore, fuse: { first_stage: firstStage, method: "rrf" } });
    const left = expected(scores).filter(({ modelScore }) => modelScore >= minScore);
    assert.deepEqual(
      results,
      left.sort((a, b) => b.score - a.score),
    );
    assert.equal(results.length, 2);
  });

  test("collection.rank fuses the scores of its candidates", async () => {
    const collection = await reranker.prepare(["another document", ...documents, "one more"]);
    const candidates = documents.map((_, index) => index + 1);
    const last = (await collect(collection.rank(query, { candidates, topN: 3, fuse: { firstStage, method: "rrf" } }))).at(-1);
    const best = expected(scores)
      .sort((a, b) => b.score - a.score)
      .slice(0, 3);
    assert.deepEqual(
      last.results,
      best.map((result) => ({ ...result, index: result.index + 1 })),
    );
    await rejectsWith(
      "input",
      /collection.rank: fuse: the first stage must have a score or null for each of the 7 documents, and it has 5/,
      async () => collection.rank(query, { fuse: { firstStage, method: "rrf" } }),
    );
    collection.dispose();
  });
});

describe("structured", () => {
  const books = [
    { title: "Bees", author: { name: "Ann Lee" }, tags: ["honey", "wax"] },
    { title: "Berlin", author: { name: "Bo Li" }, tags: ["people"] },
  ];
  const texts = {
    yaml: ["title: Bees\nauthor:\n  name: Ann Lee\ntags:\n- honey\n- wax\n", "title: Berlin\nauthor:\n  name: Bo Li\ntags:\n- people\n"],
    lines: ["title: Bees\nauthor.name: Ann Lee\ntags: honey, wax", "title: Berlin\nauthor.name: Bo Li\ntags: people"],
  };

  for (const structured of ["yaml", "lines"]) {
    test(`all calls score documents as ${structured}`, async () => {
      const { results } = await reranker.rerank({ query, documents: texts[structured] });
      assert.deepEqual((await reranker.rerank({ query, documents: books, structured })).results, results);
      const parts = await collect(reranker.stream({ query, documents: books, structured }));
      assert.deepEqual(
        parts.flatMap((part) => part.results).sort((a, b) => b.score - a.score),
        results,
      );
      const collection = await reranker.prepare(books, { structured });
      assert.deepEqual((await collect(collection.rank(query))).at(-1).results, results);
      collection.dispose();
    });
  }

  test("a path leads through objects and arrays, and a date is in ISO format", async () => {
    const written = await reranker.rerank({ query, documents: ["author.name: Ann\ndates: 2026-01-02T00:00:00.000Z"] });
    const document = { author: { name: "Ann", born: 1970 }, dates: [new Date("2026-01-02")] };
    const chosen = await reranker.rerank({ query, documents: [document], rankFields: ["author.name", "dates"] });
    assert.deepEqual(chosen.results, written.results);
  });

  const cycle = {};
  cycle.self = cycle;
  for (const [what, value, message] of [
    ["a function", { f() {} }, /documents\[0\] the document has a function, which cannot be written as text/],
    ["an invalid date", { a: [new Date(NaN)] }, /has an invalid Date/],
    ["a cycle", cycle, /more than 100 levels/],
    ["an array", ["a"], /documents\[0\] must be a string or an object, not an array/],
  ]) {
    test(`a document with ${what} is an error`, () =>
      rejectsWith("input", message, () => reranker.rerank({ query, documents: [value], structured: "yaml" })));
  }
});

describe("options that a call does not have", () => {
  const refused = [
    ["stream", () => reranker.stream({ query, documents, deadlineMs: 1 }), /stream: deadlineMs is not available: leave the loop/],
    ["stream", () => reranker.stream({ query, documents, fuse: {} }), /use rerank or collection.rank/],
    ["rank", () => reranker.rank(query, documents, { deadline_ms: 1 }), /rank: deadline_ms is not available: use rerank/],
    ["rank", () => reranker.rank(query, documents, { fuse: {} }), /use rerank/],
    ["rank", () => reranker.rank(query, documents, { structured: "yaml" }), /use rerank/],
    ["score", () => reranker.score([], { minScore: 1 }), /score returns the scores of all pairs; use rerank/],
    ["score", () => reranker.score([], { deadlineMs: 1 }), /use rerank/],
    ["score", () => reranker.score([], { fuse: {} }), /use rerank/],
  ];
  for (const [call, run, message] of refused)
    test(`${call} refuses: ${message.source}`, () => rejectsWith("unsupported", message, async () => run()));

  const wrong = [
    [{ minScore: "1" }, /rerank: minScore must be a finite number, not "1"/],
    [{ minScore: NaN }, /minScore must be a finite number, not NaN/],
    [{ deadlineMs: 0 }, /deadlineMs must be a number above 0, not 0/],
    [{ deadlineMs: -5 }, /deadlineMs must be a number above 0/],
    [{ structured: "json" }, /structured must be "yaml" or "lines", not "json"/],
    [{ fuse: [] }, /fuse: the options must be an object/],
    [
      { fuse: { firstStage: [1, 2], method: "rrf" } },
      /rerank: fuse: the first stage must have a score or null for each of the 5 documents, and it has 2/,
    ],
    [{ fuse: { firstStage: [1, 2, 3, 4, NaN], method: "rrf" } }, /firstStage\[4\] must be a finite number or null, not NaN/],
    [{ fuse: { firstStage: [1, 2, 3, 4, 5], method: "rrf", rank: 1 } }, /unknown option "rank"/],
  ];
  for (const [options, message] of wrong)
    test(`rerank refuses ${JSON.stringify(options)}`, () =>
      rejectsWith("input", message, () => reranker.rerank({ query, documents, ...options })));
});
