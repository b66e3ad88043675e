// The fields of requests that no service has: those of docs/applications.md.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import Ajv from "ajv/dist/2020.js";

import { dist, root } from "../../support/paths.js";
import { client, manualReranker, question } from "../../support/servers/rerank-handler.js";
import { until } from "../../support/until.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { query, documents, best } = question;
const description = JSON.parse(readFileSync(new URL("docs/openapi.json", root), "utf8"));
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema({ $id: "api", components: description.components });

let reranker;
before(async () => (reranker = await Reranker.load(undefined, { workers: 1, scoreCache: { maxBytes: 1e6 } })));
after(() => reranker.dispose());

/** Posts a request, checks both bodies against the description, and returns the answer. */
async function post(path, body, form = "RerankResponse") {
  assert.ok(ajv.validate({ $ref: "api#/components/schemas/RerankRequest" }, body), ajv.errorsText());
  const response = await client(reranker).post(path, body);
  const answer = await response.json();
  assert.equal(response.status, 200, JSON.stringify(answer));
  assert.ok(ajv.validate({ $ref: `api#/components/schemas/${form}` }, answer), ajv.errorsText());
  return answer;
}

const scoresOf = (rows) => rows.map(({ index, relevance_score: score }) => ({ index, score }));

describe("a request for a ranking", () => {
  let all;
  before(async () => (all = (await reranker.rerank({ query, documents, scores: "sigmoid" })).results));

  test("min_score leaves out lower scores, as the answer has them", async () => {
    assert.deepEqual(scoresOf((await post("/v1/rerank", { query, documents, min_score: all[1].score })).results), all.slice(0, 2));
    const raw = (await reranker.rerank({ query, documents, scores: "raw" })).results;
    assert.deepEqual(
      scoresOf((await post("/v1/rerank", { query, documents, min_score: raw[0].score, raw_scores: true })).results),
      raw.slice(0, 1),
    );
    assert.deepEqual(await post("/rerank", { query, texts: documents, min_score: all[0].score }, "TextsResponse"), all.slice(0, 1));
  });

  test("fuse orders by a first stage too, and results have both scores", async () => {
    const first_stage = [null, 1, 2];
    const { results } = await reranker.rerank({ query, documents, scores: "sigmoid", fuse: { firstStage: first_stage, method: "rrf" } });
    const rows = results.map(({ index, score, modelScore }) => ({ index, relevance_score: score, model_score: modelScore }));
    const fuse = { first_stage, method: "rrf", k: null, weight: null };
    assert.deepEqual((await post("/v2/rerank", { query, documents, fuse })).results, rows);
    const texts = await post("/rerank", { query, texts: documents, fuse }, "TextsResponse");
    assert.deepEqual(
      texts,
      rows.map(({ relevance_score: score, ...row }) => ({ ...row, score })),
    );
    const linear = await post("/v1/rerank", { query, documents, fuse: { first_stage, method: "linear", weight: 0 } });
    assert.deepEqual(scoresOf(linear.results), [
      { index: 2, score: 1 },
      { index: 0, score: 0 },
      { index: 1, score: 0 },
    ]);
  });

  test("highlights are the best sentences of each result, in the form of each service", async () => {
    const long = `🦀 It rains. ${documents[best]} Trees are green.`;
    const texts = [documents[best], long, ""];
    const { results } = await reranker.rerank({ query, documents: texts, scores: "sigmoid", highlights: 2 });
    const highlights = results.map((result) => result.highlights);
    assert.deepEqual(highlights.map(({ length }) => length).sort(), [0, 1, 2]);
    for (const [path, fields] of [
      ["/v1/rerank", {}],
      ["/v2/rerank", {}],
      ["/v1/rerank", { top_k: 3 }],
      ["/rerank", {}],
    ]) {
      const { results: rows } = await post(path, { query, documents: texts, highlights: 2, ...fields });
      assert.deepEqual(
        rows.map((row) => row.highlights),
        highlights,
        path,
      );
    }
    const tei = await post("/rerank", { query, texts, highlights: 2 }, "TextsResponse");
    assert.deepEqual(
      tei.map((row) => row.highlights),
      highlights,
    );
    assert.ok(!("highlights" in (await post("/v1/rerank", { query, documents: texts, highlights: null })).results[0]));
  });

  test("deadline_ms ends the ranking, and the answer lists the documents without a score", async () => {
    const many = Array.from({ length: 500 }, (_, at) => `Page ${at}. ${"Many words about nothing. ".repeat(10)}`);
    const { results, unscored } = await post("/v1/rerank", { query, documents: many, deadline_ms: 200 });
    assert.equal(results.length + unscored.length, many.length);
    assert.ok(unscored.length > 0 && unscored.at(-1) === many.length - 1);
    assert.deepEqual((await post("/v1/rerank", { query, documents, deadline_ms: 1e7 })).unscored, []);
    assert.ok(!("unscored" in (await post("/v1/rerank", { query, documents }))));
    // Its clients read an array of the texts that were scored.
    const texts = await post("/rerank", { query, texts: many.map((text) => `${text} Again.`), deadline_ms: 200 }, "TextsResponse");
    assert.ok(texts.length < many.length);
  });

  test("the time in the queue counts for deadline_ms", async () => {
    const manual = manualReranker();
    const deadlines = [];
    const served = {
      ...manual,
      rerank: (options) => {
        deadlines.push(options.deadlineMs);
        return manual.rerank(options);
      },
    };
    const { post: send } = client(served, { maxConcurrent: 1 });
    const responses = [1, 2].map(() => send("/v1/rerank", { query, documents, deadline_ms: 5000 }));
    for (let at = 0; at < 2; at++) {
      await until(() => manual.calls.length > at);
      if (at === 0) await new Promise((resolve) => setTimeout(resolve, 60));
      manual.calls[at].release();
    }
    for (const response of await Promise.all(responses)) assert.equal(response.status, 200);
    assert.ok(deadlines[0] > 4000 && deadlines[0] <= 5000 && deadlines[1] <= 4945, deadlines.join());
  });

  test("rank_fields takes paths, and structured writes the fields", async () => {
    const objects = documents.map((text, id) => ({ id, page: { text, tags: ["a", "b"] } }));
    const plain = await post("/v1/rerank", { query, documents: objects, rank_fields: ["page.text"] });
    assert.deepEqual(scoresOf(plain.results), all);
    for (const structured of ["yaml", "lines"]) {
      const { results } = await reranker.rerank({ query, documents: objects, structured, scores: "sigmoid" });
      assert.deepEqual(scoresOf((await post("/v1/rerank", { query, documents: objects, structured })).results), results);
    }
  });

  test("a request that was answered before is answered from the cache, and metrics count it", async () => {
    const { post: send, get } = client(reranker);
    const body = { query: "Which fruit is yellow?", documents };
    const first = await (await send("/v1/rerank", body)).json();
    const second = await (await send("/v1/rerank", body)).json();
    assert.deepEqual(second.results, first.results);
    assert.ok(first.usage.total_tokens > 0 && second.usage.total_tokens === 0);
    const scored = await (await send("/score", { text_1: body.query, text_2: documents })).json();
    assert.equal(scored.usage.total_tokens, 0);
    assert.match(await (await get("/metrics")).text(), /^ranklet_score_cache_hits_total 6$/m);
  });

  test("names may be spelled as in JavaScript", async () => {
    assert.equal((await post("/v1/rerank", { query, documents, minScore: all[0].score })).results.length, 1);
    assert.deepEqual((await post("/v1/rerank", { query, documents, deadlineMs: 1e7 })).unscored, []);
    const fuse = { firstStage: [1, 2, 3], method: "rrf" };
    assert.ok((await (await client(reranker).post("/v1/rerank", { query, documents, fuse })).json()).results[0].model_score !== undefined);
  });

  test("the fields may be null", async () => {
    const nulls = { min_score: null, deadline_ms: null, fuse: null, structured: null };
    assert.deepEqual(scoresOf((await post("/v1/rerank", { query, documents, ...nulls })).results), all);
  });

  const wrong = [
    [{ min_score: "0.5" }, /^min_score must be a number, not "0.5"/],
    [{ deadline_ms: 0 }, /^deadline_ms must be a number above 0, not 0/],
    [{ structured: "json" }, /^structured must be "yaml" or "lines", not "json"/],
    [{ fuse: [1] }, /^fuse must be an object, not an array/],
    [{ fuse: { method: "rrf" } }, /^fuse must have the first stage's score/],
    [
      { fuse: { first_stage: [1], method: "rrf" } },
      /^fuse: the first stage must have a score or null for each of the 3 documents, and it has 1/,
    ],
    [{ fuse: { first_stage: [1, 2, "3"], method: "rrf" } }, /^fuse: first_stage\[2\] must be a finite number or null, not "3"/],
    [{ fuse: { first_stage: [1, 2, 3], method: "rrf", rank: 1 } }, /^fuse: unknown option "rank"/],
  ];
  for (const [fields, message] of wrong) {
    test(`${JSON.stringify(fields)} is refused`, async () => {
      const response = await client(reranker).post("/v1/rerank", { query, documents, ...fields });
      assert.equal(response.status, 400);
      assert.match((await response.json()).message, message);
    });
  }

  const textless = [
    [{ documents: [{ a: 1 }] }, /^documents\[0\] has no string `text`, .* in rank_fields$/],
    [{ documents: [{ a: 1 }], rank_fields: ["b"] }, /^no document has a field of rank_fields: "b"$/],
    [
      { documents: [{ rankFields: {} }], rank_fields: ["rankFields"] },
      /^documents\[0\] field "rankFields" of rank_fields must be a string/,
    ],
    [{ documents: ["a"], rank_fields: ["b"] }, /^documents\[0\] must be an object with the fields of rank_fields, not "a"$/],
  ];
  for (const [fields, message] of textless) {
    test(`${JSON.stringify(fields)} is refused in the words of requests`, async () => {
      const response = await client(reranker).post("/v1/rerank", { query, ...fields });
      assert.equal(response.status, 400);
      assert.match((await response.json()).message, message);
    });
  }

  test("an object that is too deep is refused, and the next request is right", async () => {
    const deep = `{"query": "q", "structured": "yaml", "documents": [${'{"a":'.repeat(5000)}1${"}".repeat(5000)}]}`;
    const response = await client(reranker).post("/v1/rerank", deep);
    assert.equal(response.status, 400);
    assert.match((await response.json()).message, /more than 100 levels/);
    assert.equal((await post("/v1/rerank", { query, documents, top_n: 1 })).results[0].index, best);
  });
});
