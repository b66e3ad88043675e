import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const documents = Array.from({ length: 700 }, (_, at) => ({ id: at, text: `document ${at} has ${at * 7919} words of its own` }));

for (const workers of [0, 1]) {
  describe(`stream, with workers: ${workers}`, () => {
    let reranker;
    before(async () => (reranker = await Reranker.load(url, { workers })));
    after(() => reranker.dispose());

    test("a stream yields every document once, in order, with the scores of score()", async () => {
      const scores = await reranker.score(documents.map(({ text }) => ["a query", text]));
      const parts = await collect(reranker.stream({ query: "a query", documents }));
      assert.ok(parts.length > 3, `${parts.length} parts`);
      const results = parts.flatMap((part) => part.results);
      assert.deepEqual(
        results,
        Array.from(scores, (score, index) => ({ index, score })),
      );
      let done = 0;
      for (const part of parts) assert.deepEqual([part.done, part.total], [(done += part.results.length), 700]);
    });

    test("a stream reads its iterable only as far as results are consumed", async () => {
      let read = 0;
      const endless = {
        *[Symbol.iterator]() {
          for (;;) yield documents[read++ % 700].text;
        },
      };
      for await (const { done, total, results } of reranker.stream({
        query: "q",
        documents: endless,
        returnDocuments: true,
        scores: "raw",
      })) {
        assert.equal(total, undefined);
        assert.equal(results[0].document, documents[results[0].index % 700].text);
        if (done >= 300) break;
      }
      assert.ok(read < 1000, `${read} documents were read`);
    });

    test("a stream scores rankFields and returns the caller's documents", async () => {
      const [part] = await collect(
        reranker.stream({ query: "q", documents: documents.slice(0, 2), rankFields: ["id", "text"], returnDocuments: true }),
      );
      const expected = await reranker.score(documents.slice(0, 2).map(({ id, text }) => ["q", `id: ${id}\ntext: ${text}`]));
      assert.deepEqual(
        part.results.map(({ score }) => score),
        [...expected],
      );
      assert.equal(part.results[1].document, documents[1]);
    });

    test("an abort ends a stream, and the next call works", async () => {
      const controller = new AbortController();
      const stream = reranker.stream({ query: "q", documents, signal: controller.signal });
      await stream.next();
      controller.abort("enough");
      await assert.rejects(collect(stream), { code: "aborted", cause: "enough" });
      assert.equal((await collect(reranker.stream({ query: "q", documents: ["a"] }))).length, 1);
    });

    test("the error for a wrong document in a stream comes when it is reached and names it", async () => {
      const stream = reranker.stream({ query: "q", documents: [...documents.slice(0, 600), 7] });
      assert.ok((await stream.next()).value.done > 0);
      await rejectsWith("input", /documents\[600\] must be a string or an object/, () => collect(stream));
    });
  });
}

describe("stream", () => {
  test("a stream of no documents is empty, and wrong options throw immediately", async () => {
    const reranker = await Reranker.load(url, { workers: 0 });
    assert.deepEqual(await collect(reranker.stream({ query: "q", documents: [] })), []);
    for (const options of [
      {},
      { query: "q" },
      { query: "q", documents: "text" },
      { query: "q", documents: 7 },
      { query: 1, documents: [] },
    ]) {
      assert.throws(() => reranker.stream(options), { code: "input", message: /^stream: / }, JSON.stringify(options));
    }
    assert.throws(() => reranker.stream({ query: "q", documents: [], onProgress() {} }), {
      code: "input",
      message: /unknown option "onProgress"/,
    });
  });

  test("a stream after dispose rejects with the code disposed", async () => {
    const reranker = await Reranker.load(url);
    reranker.dispose();
    await assert.rejects(collect(reranker.stream({ query: "q", documents: ["a"] })), { code: "disposed" });
  });
});
