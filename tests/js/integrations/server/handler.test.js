import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { dist } from "../../support/paths.js";
import { client, question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { query, documents, best } = question;

let reranker;
before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
after(() => reranker.dispose());

describe("a ranking", () => {
  for (const path of ["/rerank", "/v1/rerank", "/v2/rerank"]) {
    test(`${path} answers with the fields of Cohere, Jina and Voyage`, async () => {
      const response = await client(reranker, { model: "mine" }).post(path, { model: "any", query, documents });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      const body = await response.json();
      const expected = await reranker.rerank({ query, documents, scores: "sigmoid" });
      const rows = expected.results.map(({ index, score }) => ({ index, relevance_score: score }));
      assert.equal(rows[0].index, best);
      assert.deepEqual(body.results, rows);
      assert.deepEqual(body.data, rows);
      const { tokens } = expected.usage;
      assert.deepEqual(body.usage, { prompt_tokens: tokens, completion_tokens: 0, total_tokens: tokens });
      assert.deepEqual(body.meta, { api_version: { version: "2" }, billed_units: { search_units: 1 }, tokens: { input_tokens: tokens } });
      assert.equal(body.object, "rerank");
      assert.equal(body.model, "mine");
      assert.equal(typeof body.id, "string");
      assert.ok(Math.abs(body.created - Date.now() / 1000) < 60);
    });
  }

  test("texts are answered with a bare array of all texts, as Text Embeddings Inference has it", async () => {
    const { post } = client(reranker);
    const rows = await (await post("/rerank", { query, texts: documents, top_n: 1 })).json();
    assert.deepEqual(rows.map(({ index }) => index).sort(), [0, 1, 2]);
    assert.deepEqual(Object.keys(rows[0]), ["index", "score"]);
    const withTexts = await (await post("/rerank", { query, texts: documents, return_text: true, truncate: true })).json();
    assert.deepEqual(withTexts[0], { ...rows[0], text: documents[best] });
  });

  test("inputs of the text-ranking task are answered as texts", async () => {
    const { post } = client(reranker);
    const inputs = { query, texts: documents };
    for (const fields of [{}, { return_text: true, raw_scores: true }]) {
      const answer = async (request) => (await post("/rerank", { ...request, ...fields })).json();
      const expected = await answer(inputs);
      assert.equal(expected.length, 3);
      assert.deepEqual(await answer({ inputs }), expected);
      assert.deepEqual(await answer({ inputs, query: null }), expected);
      // Beside a query, it is a field that no service has.
      assert.deepEqual(await answer({ inputs: "x", ...inputs }), expected);
    }
    const wrong = await post("/rerank", { inputs: { query: 5, texts: documents } });
    assert.equal(wrong.status, 422);
    assert.equal((await wrong.json()).error, "query must be a string, not 5");
    const text = await post("/v1/rerank", { inputs: query, documents });
    assert.equal(text.status, 400);
    assert.match((await text.json()).message, /^query is missing/);
  });

  test("raw scores are logits, and other scores are between 0 and 1", async () => {
    const { post } = client(reranker);
    const { results } = await reranker.rerank({ query, documents, scores: "raw" });
    const logits = results.map(({ score }) => score);
    const tei = await (await post("/rerank", { query, texts: documents, raw_scores: true })).json();
    assert.deepEqual(
      tei.map(({ score }) => score),
      logits,
    );
    // vLLM has two names of the flag; a request with both means the newer one.
    for (const flags of [{ use_activation: false }, { activation: false }, { activation: true, use_activation: false }]) {
      const vllm = await (await post("/v1/rerank", { query, documents, ...flags })).json();
      assert.deepEqual(
        vllm.results.map((row) => row.relevance_score),
        logits,
      );
    }
    const plain = await (await post("/v1/rerank", { query, documents })).json();
    for (const { relevance_score: score } of plain.results) assert.ok(score > 0 && score < 1, String(score));
  });

  const echoes = [
    ["/v1/rerank", {}, { text: documents[best] }],
    ["/rerank", {}, documents[best]],
    ["/v1/rerank", { top_k: 2 }, documents[best]],
    ["/v1/rerank", { truncation: true }, documents[best]],
    ["/v1/rerank", { truncation: false, top_n: null }, documents[best]],
    ["/v1/rerank", { truncation: true, top_n: 2 }, { text: documents[best] }],
    ["/v1/rerank", { truncation: null }, { text: documents[best] }],
    ["/v1/rerank", { truncation: "end" }, { text: documents[best] }],
  ];
  for (const [path, fields, expected] of echoes) {
    test(`${path} with ${JSON.stringify(fields)} echoes documents as its clients read them`, async () => {
      const { results } = await (await client(reranker).post(path, { query, documents, return_documents: true, ...fields })).json();
      assert.deepEqual(results[0].document, expected);
    });
  }

  test("documents are objects too, with rank_fields to choose from", async () => {
    const objects = documents.map((body, id) => ({ id, title: "A page", body }));
    const { post } = client(reranker);
    const { results } = await (
      await post("/v1/rerank", { query, documents: objects, rank_fields: ["body"], return_documents: true })
    ).json();
    assert.deepEqual(results[0].document, objects[best]);
    const expected = await reranker.rerank({ query, documents, scores: "sigmoid" });
    assert.deepEqual(
      results.map((row) => row.relevance_score),
      expected.results.map(({ score }) => score),
    );
  });

  test("documents without a text are echoed as JSON to clients that read strings", async () => {
    const objects = documents.map((body, id) => ({ id, body, text: 5 }));
    const fields = { query, rank_fields: ["body"], return_documents: true };
    const { post } = client(reranker);
    for (const [path, more] of [
      ["/rerank", {}],
      ["/v1/rerank", { top_k: 3 }],
    ]) {
      const { results } = await (await post(path, { ...fields, ...more, documents: objects })).json();
      assert.equal(results[0].document, JSON.stringify(objects[best]), path);
    }
    const rows = await (await post("/rerank", { ...fields, texts: objects })).json();
    assert.equal(rows[0].text, JSON.stringify(objects[best]));
    const { results } = await (await post("/v1/rerank", { ...fields, documents: objects })).json();
    assert.deepEqual(results[0].document, objects[best]);
  });

  test("optional fields may be null, and unknown fields are left alone", async () => {
    const { post } = client(reranker);
    const plain = (await (await post("/v1/rerank", { query, documents })).json()).results;
    const nulls = Object.fromEntries(
      [
        "model",
        "top_n",
        "top_k",
        "return_documents",
        "rank_fields",
        "max_tokens_per_doc",
        "max_chunks_per_doc",
        "truncation",
        "raw_scores",
        "instruction",
        "user",
      ].map((name) => [name, null]),
    );
    const body = { query, documents, ...nulls, instruction: "", priority: 3, extra: { deep: [1] }, rank_fields: [] };
    assert.deepEqual((await (await post("/v1/rerank", body)).json()).results, plain);
    const echo = await (await post("/v1/rerank", { query, documents, texts: null, top_k: null, return_documents: true })).json();
    assert.deepEqual(echo.results[0].document, { text: documents[best] });
  });

  test("half an emoji in a request is the replacement character in the answer", async () => {
    const half = '{"query":"q","documents":["half \\ud83d emoji", "whole \\ud83d\\ude00"],"return_documents":true}';
    const response = await client(reranker).get("/v1/rerank", { method: "POST", body: half });
    const texts = (await response.json()).results.map(({ document }) => document.text);
    assert.deepEqual(texts.sort(), ["half \ufffd emoji", "whole \u{1f600}"]);
  });

  test("top_n and top_k limit the results, a number below 1 does not, and more than there are is all", async () => {
    const { post } = client(reranker);
    for (const [fields, expected] of [
      [{ top_n: 1 }, 1],
      [{ top_k: 2 }, 2],
      [{ top_n: 0 }, 3],
      [{ top_n: -1 }, 3],
      [{ top_k: -1 }, 3],
      [{ top_n: -1, top_k: 2 }, 2],
      [{ top_n: 99 }, 3],
    ]) {
      const { results } = await (await post("/v1/rerank", { query, documents, ...fields })).json();
      assert.equal(results.length, expected, JSON.stringify(fields));
    }
  });

  test("max_tokens_per_doc cuts documents, and the server's own limit holds", async () => {
    const long = [`${documents[best]} ${"word ".repeat(100)}`];
    const tokens = async (options, fields) =>
      (await (await client(reranker, options).post("/v2/rerank", { query, documents: long, ...fields })).json()).usage.total_tokens;
    const all = await tokens({}, {});
    const cut = await tokens({}, { max_tokens_per_doc: 10 });
    assert.ok(cut < all - 80, `${cut} and ${all}`);
    assert.equal(await tokens({ maxTokensPerDocument: 10 }, { max_tokens_per_doc: 4096 }), cut);
    // 0 means no limit, as in vLLM.
    assert.equal(await tokens({}, { max_tokens_per_doc: 0 }), all);
    assert.equal(await tokens({ maxTokensPerDocument: 10 }, { max_tokens_per_doc: 0 }), cut);
  });

  test("no documents have no results", async () => {
    const { results } = await (await client(reranker).post("/v1/rerank", { query, documents: [] })).json();
    assert.deepEqual(results, []);
  });
});

describe("scores", () => {
  test("of one text and several are in input order, as vLLM has them", async () => {
    const body = await (await client(reranker).post("/score", { model: "m", text_1: query, text_2: documents })).json();
    const { results, usage } = await reranker.rerank({ query, documents, scores: "sigmoid" });
    assert.equal(body.object, "list");
    assert.deepEqual(
      body.data.map(({ index, object }) => [index, object]),
      [
        [0, "score"],
        [1, "score"],
        [2, "score"],
      ],
    );
    for (const { index, score } of results) assert.equal(body.data[index].score, score);
    assert.equal(body.usage.total_tokens, usage.tokens);
  });

  test("have the same texts under either name, and null counts as absent", async () => {
    const scores = async (fields) => {
      const response = await client(reranker).post("/score", fields);
      const body = await response.json();
      assert.equal(response.status, 200, JSON.stringify(body));
      return body.data;
    };
    const expected = await scores({ text_1: query, text_2: documents });
    assert.deepEqual(await scores({ text_1: null, queries: [query], text_2: null, documents }), expected);
    assert.deepEqual(await scores({ text_1: null, queries: null, query, documents }), expected);
    assert.deepEqual(await scores({ data_1: query, data_2: documents }), expected);
    assert.deepEqual(await scores({ queries: query, items: documents }), expected);
    assert.deepEqual(await scores({ query, items: documents }), expected);
    const wrong = await client(reranker).post("/score", { data_1: [query, query], items: documents });
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).message, /data_1 must have one text, or as many as items: 2 and 3/);
  });

  test("of as many texts are those of the pairs", async () => {
    const { post } = client(reranker);
    const queries = [query, "Which fruit is yellow?", query];
    const { data } = await (await post("/v1/score", { text_1: queries, text_2: documents, use_activation: false })).json();
    const expected = await reranker.score(
      queries.map((text, index) => [text, documents[index]]),
      { scores: "raw" },
    );
    assert.deepEqual(
      data.map(({ score }) => score),
      [...expected],
    );
    const wrong = await post("/score", { text_1: ["a", "b"], text_2: documents });
    assert.equal(wrong.status, 400);
    assert.match((await wrong.json()).message, /one text, or as many as text_2: 2 and 3/);
  });
});

describe("other paths", () => {
  test("/health and /models describe the server", async () => {
    const { get } = client(reranker, { model: "mine", apiKeys: "secret" });
    assert.deepEqual(await (await get("/health")).json(), { status: "ok", model: "mine" });
    assert.equal((await get("/models")).status, 401);
    const headers = { authorization: "Bearer secret" };
    const row = async (path) => (await (await get(path, { headers })).json()).data[0];
    const common = { id: "mine", object: "model", created: 0, backend: "ranklet", capabilities: ["rerank"] };
    // infinity_client needs `stats`, and refuses each owner but "infinity".
    assert.deepEqual(await row("/models"), { ...common, stats: {} });
    assert.deepEqual(await row("/v1/models"), { ...common, owned_by: "ranklet" });
  });

  test("/metrics counts requests, documents and tokens", async () => {
    const { post, get } = client(reranker);
    await post("/v1/rerank", { query, documents });
    await post("/v1/rerank", { query });
    await get("/nowhere");
    const text = await (await get("/metrics")).text();
    const { usage } = await reranker.rerank({ query, documents });
    for (const line of [
      'ranklet_requests_total{path="/v1/rerank",status="200"} 1',
      'ranklet_requests_total{path="/v1/rerank",status="400"} 1',
      'ranklet_requests_total{path="other",status="404"} 1',
      "ranklet_documents_total 3",
      `ranklet_tokens_total ${usage.tokens}`,
      "ranklet_requests_running 0",
      'ranklet_request_duration_seconds_bucket{le="+Inf"} 1',
    ]) {
      assert.ok(text.split("\n").includes(line), `${line} in\n${text}`);
    }
  });

  test("an unknown path is 404 with the known ones, and a wrong method 405", async () => {
    const { post, get } = client(reranker);
    const missing = await get("/rank");
    assert.equal(missing.status, 404);
    assert.match((await missing.json()).message, /nothing at \/rank; known paths are \/rerank,/);
    const wrong = await get("/v1/rerank");
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get("allow"), "POST");
    assert.equal((await post("/health", {})).status, 405);
  });

  test("a base path and a slash at the end are part of no route", async () => {
    const { post } = client(reranker, { basePath: "/api/" });
    assert.equal((await post("/api/v1/rerank/", { query, documents })).status, 200);
    assert.equal((await post("/v1/rerank", { query, documents })).status, 404);
    const { results } = await (await post("/api/rerank//?a=b", { query, documents, return_documents: true })).json();
    assert.equal(results[0].document, documents[best]);
  });
});

test("a request of two documents does not wait for one of hundreds", async () => {
  const { post } = client(reranker);
  const order = [];
  const long = post("/v1/rerank", {
    query,
    documents: Array.from({ length: 300 }, (_, index) => `${documents[index % 3]} ${"word ".repeat(60)}`),
  }).then(() => order.push("long"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await post("/v1/rerank", { query, documents: documents.slice(0, 2) });
  order.push("short");
  assert.deepEqual(order, ["short"]);
  await long;
});

test("options are checked", () => {
  assert.throws(() => client(reranker, { maxQueues: 1 }), {
    code: "input",
    message: /unknown option "maxQueues"; did you mean "maxQueue"\?/,
  });
  assert.throws(() => client(reranker, { apiKeys: [""] }), { code: "input", message: /apiKeys\[0\] is empty/ });
  assert.throws(() => client(reranker, { apiKeys: undefined }), { code: "input", message: /apiKeys is undefined; leave it out/ });
  assert.throws(() => client(reranker, { apiKeys: [] }), {
    code: "input",
    message: /apiKeys has no key; leave it out to let every client in/,
  });
  assert.throws(() => client(reranker, { basePath: "api" }), { code: "input", message: /must start with "\/"/ });
  assert.throws(() => client(reranker, { maxConcurrent: 0 }), { code: "input", message: /1 or more/ });
});
