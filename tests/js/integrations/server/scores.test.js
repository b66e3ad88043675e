// Requests for scores, and the names of documents in errors.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { dist } from "../../support/paths.js";
import { client, question } from "../../support/servers/rerank-handler.js";

const { Reranker, RankletError } = await import(new URL("index.node.js", dist));
const { query, documents } = question;

let reranker;
before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
after(() => reranker.dispose());

const messageOf = async (response) => {
  const answer = await response.json();
  return answer.message ?? answer.error;
};

describe("/score", () => {
  test("scores the chosen fields and tokens", async () => {
    const pages = documents.map((text) => ({ page: { text }, id: 7 }));
    const { post } = client(reranker);
    const all = [];
    for (const fields of [
      { rank_fields: ["page.text"] },
      { rank_fields: ["page"], structured: "yaml" },
      { structured: "lines" },
      { rank_fields: ["page.text"], max_tokens_per_doc: 3 },
      { rank_fields: ["page.text"], max_tokens_per_doc: 0, raw_scores: true },
    ]) {
      const { results } = await (await post("/v1/rerank", { query, documents: pages, ...fields })).json();
      const expected = results.sort((a, b) => a.index - b.index).map((row) => row.relevance_score);
      const { data } = await (await post("/score", { text_1: query, text_2: pages, ...fields })).json();
      const scores = data.map(({ score }) => score);
      assert.deepEqual(scores, expected, JSON.stringify(fields));
      assert.ok(!all.includes(scores.join()), JSON.stringify(fields));
      all.push(scores.join());
    }
  });

  test("obeys the server's own limit of tokens", async () => {
    const tokens = async (options, fields) =>
      (await (await client(reranker, options).post("/score", { text_1: query, text_2: documents, ...fields })).json()).usage.total_tokens;
    const cut = await tokens({}, { max_tokens_per_doc: 3 });
    assert.ok(cut < (await tokens({}, {})));
    assert.equal(await tokens({ maxTokensPerDocument: 3 }, { max_tokens_per_doc: 100 }), cut);
    assert.equal(await tokens({ maxTokensPerDocument: 3 }, { max_tokens_per_doc: 0 }), cut);
  });

  test("refuses fields that only rankings have", async () => {
    const { post } = client(reranker);
    const fields = {
      deadline_ms: 100,
      deadlineMs: 100,
      min_score: 0.5,
      minScore: 0.5,
      fuse: { first_stage: [1, 2, 3], method: "rrf" },
      highlights: 1,
    };
    for (const [name, value] of Object.entries(fields)) {
      const refused = await post("/v1/score", { text_1: query, text_2: documents, [name]: value });
      assert.equal(refused.status, 400, name);
      assert.equal(await messageOf(refused), `${name} belongs to /rerank, and /score cannot obey it: leave it out`);
      assert.equal((await post("/score", { text_1: query, text_2: documents, [name]: null })).status, 200, name);
    }
  });
});

describe("errors name the field of the request and the index in it", () => {
  const wrong = { a: 1 };

  for (const [queryField, field] of [
    ["text_1", "text_2"],
    ["queries", "items"],
    ["data_1", "data_2"],
  ]) {
    test(`of ${queryField} and ${field}`, async () => {
      const { post } = client(reranker);
      const textless = await post("/score", { [queryField]: query, [field]: [documents[0], wrong] });
      assert.equal(textless.status, 400);
      const message = await messageOf(textless);
      assert.ok(message.startsWith(`${field}[1] has no string \`text\``), message);
      const queries = await post("/score", { [queryField]: [query, wrong], [field]: documents.slice(0, 2) });
      assert.equal(queries.status, 400);
      assert.equal(await messageOf(queries), `${queryField}[1] must be a string or an object with a string in text, not an object`);
    });
  }

  test("of texts", async () => {
    const response = await client(reranker).post("/rerank", { query, texts: [documents[0], wrong] });
    assert.equal(response.status, 422);
    const message = await messageOf(response);
    assert.ok(message.startsWith("texts[1] has no string `text`"), message);
  });

  /** A reranker that refuses the empty document, as the engine refuses a pair without tokens. */
  const picky = {
    info: { numLabels: 1 },
    rerank: async ({ documents: given }) => {
      const start = given.indexOf("");
      const item = { kind: "document", start, end: start + 1 };
      if (start !== -1) throw new RankletError("input", `document ${start}: this pair has no tokens`, { item });
      return { results: given.map((_, index) => ({ index, score: 0 })), usage: { tokens: 1 }, timings: { cacheHits: 0 } };
    },
  };

  test("of scoring too", async () => {
    const { post } = client(picky);
    const texts = ["an old city", "a river", ""];
    for (const [path, body, status, field] of [
      ["/v1/rerank", { query, documents: texts }, 400, "documents"],
      ["/rerank", { query, texts }, 422, "texts"],
      ["/score", { text_1: query, text_2: texts }, 400, "text_2"],
      // The pairs of the second query are scored in a call of their own.
      ["/score", { queries: ["a", "b", "b"], items: texts }, 400, "items"],
    ]) {
      const response = await post(path, body);
      assert.equal(response.status, status, path);
      assert.equal(await messageOf(response), `${field}[2]: this pair has no tokens`);
    }
  });
});
