import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { dist, inRepository } from "../../support/paths.js";
import { client, manualReranker, question, quickReranker as quick } from "../../support/servers/rerank-handler.js";

const { RankletError } = await import(new URL("index.node.js", dist));
const { query, documents } = question;
const valid = { query, documents };

async function expectError(response, status, message) {
  assert.equal(response.status, status);
  const body = await response.json();
  assert.match(body.message, message);
  assert.deepEqual(body.error.message, body.message);
  return body;
}

describe("a bad body", () => {
  const deep = (depth) => `{"query":"q","documents":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const bodies = [
    ["that is empty", "", 400, /is empty/],
    ["that is not JSON", "query=q", 400, /not valid JSON/],
    ["that is cut off", JSON.stringify(valid).slice(0, -5), 400, /not valid JSON/],
    ["that is an array", [1], 400, /must be a JSON object, not an array/],
    ["without a query", { documents }, 400, /query is missing/],
    ["with a number for the query", { query: 5, documents }, 400, /query must be a string, not 5/],
    ["without documents", { query }, 400, /documents is missing/],
    ["with null in the documents", { query, documents: ["a", null] }, 400, /documents\[1\] must be a string or an object, not null/],
    ["with a text for top_n", { ...valid, top_n: "3" }, 400, /top_n must be a whole number/],
    ["with a fraction for top_n", { ...valid, top_n: 1.5 }, 400, /top_n must be a whole number/],
    ["with a text for a flag", { ...valid, return_documents: "yes" }, 400, /return_documents must be true or false/],
    ["with numbers for names", { ...valid, rank_fields: [1] }, 400, /rank_fields must be an array of strings/],
    ["with 101 names", { ...valid, rank_fields: Array(101).fill("a") }, 413, /has 101 rank_fields, and the server takes 100/],
    ["with -1 tokens", { ...valid, max_tokens_per_doc: -1 }, 400, /max_tokens_per_doc must be a whole number of 0 or more, not -1/],
    ["with deep arrays", deep(100_000), 400, /not valid JSON|documents\[0\] must be a string or an object/],
  ];
  for (const [name, body, status, message] of bodies) {
    test(`${name} is refused, and the next request is right`, async () => {
      const { post } = client(quick);
      await expectError(await post("/v1/rerank", body), status, message);
      assert.equal((await post("/v1/rerank", valid)).status, 200);
    });
  }

  test("has the shape of its dialect", async () => {
    const { post } = client(quick);
    const tei = await post("/rerank", { query, texts: 5 });
    assert.equal(tei.status, 422);
    assert.deepEqual(await tei.json(), { error: "texts must be an array of strings or objects, not 5", error_type: "Validation" });
    const infinity = await post("/rerank", { query: 5, documents });
    assert.equal(infinity.status, 422);
    assert.deepEqual((await infinity.json()).detail, [{ loc: ["body"], msg: "query must be a string, not 5", type: "value_error" }]);
    const voyage = await post("/v1/rerank", { query: 5, documents, top_k: 1 });
    assert.equal((await voyage.json()).detail, "query must be a string, not 5");
  });

  test("of invalid UTF-8 is refused", async () => {
    const bytes = Uint8Array.from([0x7b, 0xff, 0x7d]);
    await expectError(await client(quick).get("/v1/rerank", { method: "POST", body: bytes }), 400, /UTF-8/);
  });

  test("of too many bytes is refused before it is read whole", async () => {
    const { post, get } = client(quick, { maxBodyBytes: 1000 });
    await expectError(await post("/v1/rerank", { query, documents: ["x".repeat(2000)] }), 413, /more than 1000 bytes/);
    let chunks = 0;
    const endless = new ReadableStream(
      {
        pull: (controller) => {
          chunks++;
          controller.enqueue(new Uint8Array(600).fill(32));
        },
      },
      { highWaterMark: 0 },
    );
    await expectError(await get("/v1/rerank", { method: "POST", body: endless }), 413, /more than 1000 bytes/);
    assert.ok(chunks <= 3, `${chunks} chunks were read`);
  });

  test("that does not arrive is given up", async () => {
    const slow = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"query":')) });
    await expectError(await client(quick, { bodyTimeoutMs: 50 }).post("/v1/rerank", slow), 400, /did not arrive within 50 ms/);
  });

  test("has all the time of a limit that is longer than a timer's", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(valid));
    const slow = new ReadableStream({
      start: (controller) =>
        setTimeout(() => {
          controller.enqueue(bytes);
          controller.close();
        }, 50),
    });
    assert.equal((await client(quick, { bodyTimeoutMs: 2 ** 31 }).post("/v1/rerank", slow)).status, 200);
  });

  test("may be cut between the bytes of a character", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify({ query, documents: ["café 🦀"], return_documents: true }));
    const single = new ReadableStream({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const { results } = await (await client(quick).post("/v1/rerank", single)).json();
    assert.deepEqual(results[0].document, { text: "café 🦀" });
    const cut = bytes.subarray(0, bytes.indexOf(0xf0) + 1);
    await expectError(await client(quick).get("/v1/rerank", { method: "POST", body: cut }), 400, /UTF-8/);
  });

  test("whose connection breaks is given up", async () => {
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('{"query":')),
      pull: (controller) => controller.error(new Error("the connection broke")),
    });
    await expectError(await client(quick).post("/v1/rerank", broken), 400, /cut off/);
  });

  test("of too many documents is refused", async () => {
    await expectError(await client(quick, { maxDocuments: 2 }).post("/v1/rerank", valid), 413, /has 3 documents, and the server takes 2/);
    await expectError(await client(quick, { maxDocuments: 2 }).post("/score", { text_1: "a", text_2: documents }), 413, /has 3 pairs/);
  });
});

describe("API keys", () => {
  const { post } = client(quick, { apiKeys: ["first", "second"] });
  const withKey = (authorization) => post("/v1/rerank", valid, { headers: { authorization } });

  test("are accepted with and without Bearer", async () => {
    for (const authorization of ["Bearer first", "bearer second", "second"])
      assert.equal((await withKey(authorization)).status, 200, authorization);
  });

  test("that are missing, wrong or cut off are 401", async () => {
    const missing = await post("/v1/rerank", valid);
    assert.equal(missing.headers.get("www-authenticate"), "Bearer");
    await expectError(missing, 401, /an API key is needed/);
    for (const authorization of ["Bearer third", "Bearer firs", "Bearer first2", "Bearer ", "Basic first"]) {
      await expectError(await withKey(authorization), 401, /the API key is wrong/);
    }
  });
});

describe("CORS", () => {
  const preflight = {
    method: "OPTIONS",
    headers: {
      origin: "https://a.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-fern-language,x-client-name",
    },
  };

  test("is off by default", async () => {
    const response = await client(quick).get("/v1/rerank", preflight);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });

  test("names the origin if it is allowed, in errors too", async () => {
    const { get, post } = client(quick, { cors: ["https://A.example/"], apiKeys: "k" });
    const response = await get("/v1/rerank", preflight);
    assert.equal(response.status, 204);
    assert.equal(response.headers.get("access-control-allow-origin"), "https://a.example");
    assert.match(response.headers.get("access-control-allow-methods"), /POST/);
    // Clients send headers of their own.
    assert.equal(response.headers.get("access-control-allow-headers"), preflight.headers["access-control-request-headers"]);
    assert.equal(response.headers.get("vary"), "origin, access-control-request-headers");
    const refused = await post("/v1/rerank", valid, { headers: { origin: "https://a.example" } });
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get("access-control-allow-origin"), "https://a.example");
    assert.equal(refused.headers.get("access-control-expose-headers"), "retry-after");
    const other = await post("/v1/rerank", valid, { headers: { origin: "https://b.example" } });
    assert.equal(other.headers.get("access-control-allow-origin"), null);
    assert.equal(other.headers.get("vary"), "origin");
  });

  test("reads origins as browsers send them, and refuses what none sends", async () => {
    const { accepted, refused } = JSON.parse(readFileSync(inRepository("tests/fixtures/origins.json"), "utf8"));
    for (const [cors, origin] of Object.entries(accepted)) {
      const response = await client(quick, { cors }).get("/health", { headers: { origin } });
      assert.equal(response.headers.get("access-control-allow-origin"), origin, cors);
    }
    for (const cors of refused)
      assert.throws(() => client(quick, { cors }), { code: "input", message: /cors (must have origins such as|is empty)/ }, cors);
  });

  test("with * allows every origin", async () => {
    const { get } = client(quick, { cors: "*" });
    const response = await get("/health");
    assert.equal(response.headers.get("access-control-allow-origin"), "*");
    assert.equal(response.headers.get("access-control-expose-headers"), "retry-after");
    const asked = await get("/v1/rerank", preflight);
    assert.equal(asked.headers.get("access-control-allow-origin"), "*");
    assert.equal(asked.headers.get("access-control-allow-headers"), preflight.headers["access-control-request-headers"]);
  });
});

describe("a full server", () => {
  test("answers 429 at once, and the requests that wait are answered in their order", async () => {
    const reranker = manualReranker();
    const { post } = client(reranker, { maxConcurrent: 1, maxQueue: 2 });
    const [first, second, third] = ["1", "2", "3"].map((text) => post("/v1/rerank", { query: text, documents }));
    await sleep(10);
    const refused = await post("/v1/rerank", { query: "4", documents });
    assert.ok(Number(refused.headers.get("retry-after")) >= 1);
    await expectError(refused, 429, /too many requests/);
    for (const [index, answer] of [first, second, third].entries()) {
      assert.equal(reranker.calls.length, index + 1);
      reranker.calls[index].release();
      assert.equal((await answer).status, 200);
      await sleep(1);
    }
    assert.deepEqual(
      reranker.calls.map((call) => call.query),
      ["1", "2", "3"],
    );
  });

  /** A body that counts how often it is asked for bytes. */
  function countedBody() {
    const body = new ReadableStream(
      {
        pull: (controller) => {
          counts.reads++;
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const counts = { reads: 0, body };
    return counts;
  }

  test("and a closed one refuse a request without reading its body", async () => {
    const reranker = manualReranker();
    const { post, handler } = client(reranker, { maxConcurrent: 1, maxQueue: 0 });
    const first = post("/v1/rerank", valid);
    await sleep(10);
    const bodies = [countedBody(), countedBody(), countedBody()];
    await expectError(await post("/v1/rerank", bodies[0].body), 429, /too many requests/);
    await expectError(await post("/score", bodies[1].body), 429, /too many requests/);
    reranker.calls[0].release();
    assert.equal((await first).status, 200);
    await handler.close();
    await expectError(await post("/v1/rerank", bodies[2].body), 503, /shutting down/);
    assert.deepEqual(
      bodies.map(({ reads }) => reads),
      [0, 0, 0],
    );
  });

  test("forgets a client that hangs up while it waits", async () => {
    const reranker = manualReranker();
    const { post, get } = client(reranker, { maxConcurrent: 1, maxQueue: 1 });
    const first = post("/v1/rerank", valid);
    const controller = new AbortController();
    const second = post("/v1/rerank", valid, { signal: controller.signal });
    await sleep(10);
    controller.abort();
    assert.equal((await second).status, 499);
    assert.match(await (await get("/metrics")).text(), /^ranklet_requests_queued 0$/m);
    const third = post("/v1/rerank", valid);
    await sleep(10);
    reranker.calls[0].release();
    await first;
    await sleep(1);
    reranker.calls[1].release();
    assert.equal((await third).status, 200);
    assert.equal(reranker.calls.length, 2);
  });
});

test("a client that hangs up aborts its ranking", async () => {
  const reranker = manualReranker();
  const { post } = client(reranker);
  const controller = new AbortController();
  const answer = post("/v1/rerank", valid, { signal: controller.signal });
  await sleep(10);
  controller.abort();
  assert.equal(reranker.calls[0].signal.aborted, true);
  reranker.calls[0].reject(new RankletError("aborted", "aborted"));
  assert.equal((await answer).status, 499);
});

test("close refuses new requests and waits for those under way, each time it is called", { timeout: 120_000 }, async () => {
  const reranker = manualReranker();
  const { post, get, handler } = client(reranker);
  const answer = post("/v1/rerank", valid);
  await sleep(10);
  let closed = 0;
  // A process may get two signals to end.
  const closing = Promise.all([1, 2].map(() => handler.close().then(() => closed++)));
  await expectError(await post("/v1/rerank", valid), 503, /shutting down/);
  const health = await get("/health");
  assert.deepEqual([health.status, health.headers.get("retry-after")], [503, "5"]);
  assert.equal(closed, 0);
  reranker.calls[0].release();
  assert.equal((await answer).status, 200);
  await closing;
  await handler.close();
});

describe("a model that fails", () => {
  const failing = (error) => ({ info: { numLabels: 1 }, rerank: () => Promise.reject(error) });
  const cases = [
    [new RankletError("internal", "the engine failed (unreachable)"), 500],
    [new Error("secret"), 500],
    [new RankletError("out-of-memory", "no memory"), 503],
    [new RankletError("device-lost", "lost"), 503],
    [new RankletError("disposed", "disposed"), 503],
  ];
  for (const [error, status] of cases) {
    test(`with ${error.code ?? "another error"} is ${status}, and only the log hears why`, async () => {
      const errors = [];
      const response = await client(failing(error), { onError: (cause) => errors.push(cause) }).post("/v1/rerank", valid);
      const body = await expectError(response, status, /^the (model failed|server failed|model is not available)$/);
      assert.ok(!JSON.stringify(body).includes(error.message));
      assert.deepEqual(errors, [error]);
    });
  }

  test("is answered although the log fails too", async () => {
    const onError = () => {
      throw new Error("the disk is full");
    };
    await expectError(await client(failing(new Error("secret")), { onError }).post("/v1/rerank", valid), 500, /^the server failed$/);
  });

  test("to load with an error like those of requests is 500, and only the log hears why", async () => {
    for (const code of ["input", "unsupported", "aborted"]) {
      const errors = [];
      const error = new RankletError(code, "the option is wrong");
      const load = () => Promise.reject(error);
      const response = await client(load, { onError: (cause) => errors.push(cause) }).post("/v1/rerank", valid);
      await expectError(response, 500, /^the model could not be loaded$/);
      assert.deepEqual(errors, [error]);
    }
  });

  test("to have one label is refused when it is given, and when it is loaded", async () => {
    const withLabels = { ...quick, info: { numLabels: 3 } };
    const refusal = { code: "unsupported", message: "createHandler needs a model with one label, and this one has 3" };
    assert.throws(() => client(withLabels), refusal);
    const errors = [];
    const { post } = client(async () => withLabels, { onError: (cause) => errors.push(cause) });
    await expectError(await post("/v1/rerank", valid), 500, /^the model could not be loaded$/);
    assert.equal(errors[0].message, refusal.message);
  });

  test("to be a reranker is refused when it is given, and when it is loaded", async () => {
    const expected =
      "createHandler: the source must be a loaded reranker or a function that loads one, such as () => Reranker.load(), not ";
    const wrong = [
      [undefined, "undefined"],
      [null, "null"],
      [Promise.resolve(quick), "an object"],
      ["ranklet/small", '"ranklet/small"'],
    ];
    for (const [source, kind] of wrong) assert.throws(() => client(source), { code: "input", message: `${expected}${kind}` });
    const errors = [];
    const { post } = client(async () => {}, { onError: (cause) => errors.push(cause) });
    await expectError(await post("/v1/rerank", valid), 500, /^the model could not be loaded$/);
    assert.equal(errors[0].message, `${expected}undefined`);
  });

  test("to support what a request wants is the request's error", async () => {
    const { post } = client(failing(new RankletError("unsupported", "the model has raw scores only")));
    await expectError(await post("/v1/rerank", valid), 400, /^the model has raw scores only$/);
  });

  test("to load is loaded again by the next request", async () => {
    let attempts = 0;
    const load = async () => {
      if (attempts++ === 0) throw new RankletError("network", "no connection");
      return quick;
    };
    const { post } = client(load);
    assert.equal(attempts, 0);
    await expectError(await post("/v1/rerank", valid), 503, /not available/);
    assert.equal((await post("/v1/rerank", valid)).status, 200);
    assert.equal((await post("/v1/rerank", valid)).status, 200);
    assert.equal(attempts, 2);
  });
});
