// Limits of what one request may cost, each just above and just below.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { dist } from "../../support/paths.js";
import { client, question, quickReranker as quick } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { query, documents } = question;

/** Checks the status and the whole message of an error, in any dialect. */
async function expectError(response, status, message) {
  const answer = await response.json();
  assert.deepEqual([response.status, answer.message ?? answer.error], [status, message]);
}

const tooLong = (max) => `makes the texts of all documents longer than ${max} bytes together; name fewer fields in rank_fields`;

describe("the texts of a request have no more bytes than a body may have", () => {
  const { post } = client(quick, { maxBodyBytes: 1000 });
  const name = "a name of some bytes, which each line repeats";
  const request = (leaves, field) => ({ query, [field]: ["a text", { [name]: Array(leaves).fill([1]) }], structured: "lines" });

  test("of lines", async () => {
    // Twenty lines of 48 bytes and a line break between them are 979 bytes, and "a text" has 6.
    assert.equal((await post("/v1/rerank", request(20, "documents"))).status, 200);
    await expectError(await post("/v1/rerank", request(21, "documents")), 413, `documents[1] ${tooLong(1000)}`);
    await expectError(await post("/rerank", request(21, "texts")), 413, `texts[1] ${tooLong(1000)}`);
    await expectError(await post("/score", { ...request(21, "items"), query }), 413, `items[1] ${tooLong(1000)}`);
    assert.equal((await post("/v1/rerank", { query, documents })).status, 200);
  });

  test("of fields, and a field that is named again counts once", async () => {
    const given = { query, documents: [{ a: "é".repeat(200), b: { c: 1 } }] };
    // "a" and "b.c" are different names; "a" three times is one name, whose value is the text.
    assert.equal((await post("/v1/rerank", { ...given, rank_fields: ["a", "a", "a"] })).status, 200);
    const nested = { query, documents: [{ a: { b: { c: "é".repeat(200) } } }] };
    const rank_fields = ["a.b.c", "a.b"];
    assert.equal((await post("/v1/rerank", { ...nested, rank_fields, structured: "yaml" })).status, 200);
    const more = { ...nested, rank_fields: [...rank_fields, "a"], structured: "yaml" };
    await expectError(await post("/v1/rerank", more), 413, `documents[0] ${tooLong(1000)}`);
  });

  test("which are counted while they are written", async () => {
    const { post: send } = client(quick, { maxBodyBytes: 4_000_000 });
    const nested = (depth, inner) => (depth === 0 ? inner : { a: nested(depth - 1, inner) });
    // Without a count, each would be a text of gigabytes.
    const bodies = [
      { structured: "yaml", document: nested(90, Array(1_000_000).fill(1)) },
      { structured: "yaml", document: nested(90, "\nx".repeat(1_000_000)) },
      { structured: "lines", document: { ["n".repeat(1_000_000)]: Array(100_000).fill([1]) } },
    ];
    for (const { structured, document } of bodies) {
      await expectError(await send("/v1/rerank", { query, documents: [document], structured }), 413, `documents[0] ${tooLong(4_000_000)}`);
    }
  });
});

test("names in rank_fields have a maximum length", async () => {
  const { post } = client(quick);
  const ranked = (path, field, name) => post(path, { query, [field]: [{ [name]: "a text" }], rank_fields: ["x", name] });
  for (const [longest, longer] of [
    ["é".repeat(128), "é".repeat(129)],
    ["a.".repeat(32), "a.".repeat(33)],
  ]) {
    assert.equal((await ranked("/v1/rerank", "documents", longest)).status, 200);
    const message = "rank_fields[1] must have at most 256 bytes and 32 dots";
    await expectError(await ranked("/v1/rerank", "documents", longer), 400, message);
    await expectError(await ranked("/rerank", "texts", longer), 422, message);
    await expectError(await ranked("/score", "documents", longer), 400, message);
  }
});

describe("of a loaded model", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
  after(() => reranker.dispose());

  test("a field that is named again is written once", async () => {
    const objects = documents.map((text) => ({ text, id: 7 }));
    const scores = async (fields) => (await reranker.rerank({ query, documents: objects, ...fields })).results;
    for (const structured of [undefined, "yaml", "lines"]) {
      for (const names of [["text"], ["text", "id"]]) {
        const expected = await scores({ rankFields: names, structured });
        assert.deepEqual(await scores({ rankFields: [...names, "text", ...names], structured }), expected, `${structured} ${names}`);
      }
    }
  });

  test("highlights are those of no more sentences than a request may have documents", async () => {
    const three = "It rains in autumn. Paris is the capital of France! Trees are green.";
    // The document of one sentence has its score already.
    const texts = [three, three, documents[2]];
    const ranked = (maxDocuments, path, fields) => client(reranker, { maxDocuments }).post(path, { query, highlights: 1, ...fields });
    const message =
      "highlights: the results have 6 sentences, and the server scores 5 per request; ask for fewer results with top_n, or send fewer documents";
    await expectError(await ranked(5, "/v1/rerank", { documents: texts }), 413, message);
    await expectError(await ranked(5, "/rerank", { texts }), 413, message);
    await expectError(await ranked(5, "/v1/rerank", { documents: texts, deadline_ms: 1e6 }), 413, message);
    assert.equal((await ranked(6, "/v1/rerank", { documents: texts })).status, 200);
    const best = await (await ranked(5, "/v1/rerank", { documents: texts, top_n: 1 })).json();
    assert.equal(best.results[0].highlights.length, 1);
  });
});
