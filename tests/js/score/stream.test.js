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

    test("a stream of an asynchronous iterable or a web stream gives the results of its documents as an array", async () => {
      const resultsOf = async (source) =>
        (await collect(reranker.stream({ query: "q", documents: source, returnDocuments: true }))).flatMap(({ results }) => results);
      const expected = await resultsOf(documents);
      const sources = {
        generator: (async function* () {
          yield* documents;
        })(),
        "web stream": ReadableStream.from(documents),
        // As in browsers whose web streams are no iterables.
        "reader of a web stream": { getReader: () => ReadableStream.from(documents).getReader() },
      };
      for (const [name, source] of Object.entries(sources)) assert.deepEqual(await resultsOf(source), expected, name);
      const { total } = (await reranker.stream({ query: "q", documents: ReadableStream.from(["a"]) }).next()).value;
      assert.equal(total, undefined);
    });

    test("leaving the loop ends an asynchronous source, which is read only as far as results are consumed", async () => {
      let read = 0;
      let ended = 0;
      const generator = async function* () {
        try {
          for (;;) yield documents[read++ % 700];
        } finally {
          ended++;
        }
      };
      const web = new ReadableStream({
        pull: (controller) => controller.enqueue(documents[read++ % 700]),
        cancel: () => void ended++,
      });
      for (const source of [generator(), web, { getReader: () => ReadableStream.from(generator()).getReader() }]) {
        read = ended = 0;
        for await (const { done } of reranker.stream({ query: "q", documents: source })) if (done >= 300) break;
        assert.equal(ended, 1);
        assert.ok(read < 1000, `${read} documents were read`);
      }
    });

    test("an error of an asynchronous source rejects the iteration, and a wrong document ends the source", async () => {
      const thrown = new Error("mine");
      const failing = async function* () {
        yield* documents.slice(0, 600);
        throw thrown;
      };
      for (const source of [failing(), ReadableStream.from(failing())]) {
        const stream = reranker.stream({ query: "q", documents: source });
        assert.ok((await stream.next()).value.done > 0);
        await assert.rejects(collect(stream), (error) => error === thrown);
      }
      let ended = false;
      const wrong = async function* () {
        try {
          yield* ["a", 7, "b"];
        } finally {
          ended = true;
        }
      };
      await rejectsWith("input", /documents\[1\] must be a string or an object/, () =>
        collect(reranker.stream({ query: "q", documents: wrong() })),
      );
      assert.ok(ended);
    });

    test("an abort does not wait for a source that gives no document", async () => {
      const controller = new AbortController();
      let ended = false;
      const silent = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => {
            ended = true;
            return new Promise(() => {});
          },
        }),
      };
      const next = reranker.stream({ query: "q", documents: silent, signal: controller.signal }).next();
      setTimeout(() => controller.abort("enough"), 10);
      await assert.rejects(next, { code: "aborted", cause: "enough" });
      assert.ok(ended);
    });

    test("an abort cancels a web stream that gives no document, and is the error even if a source cannot be ended", async () => {
      const controller = new AbortController();
      let canceled = 0;
      const silent = new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => void canceled++ });
      const next = reranker.stream({ query: "q", documents: silent, signal: controller.signal }).next();
      setTimeout(() => controller.abort("enough"), 10);
      await assert.rejects(next, { code: "aborted", cause: "enough" });
      assert.deepEqual([canceled, silent.locked], [1, false]);

      let read = 0;
      const broken = {
        [Symbol.asyncIterator]: () => ({
          next: async () => ({ done: false, value: documents[read++ % 700] }),
          return: () => {
            throw new Error("cannot end");
          },
        }),
      };
      const stopping = new AbortController();
      const stream = reranker.stream({ query: "q", documents: broken, signal: stopping.signal });
      await stream.next();
      stopping.abort("enough");
      await assert.rejects(collect(stream), { code: "aborted", cause: "enough" });
      const aborted = reranker.stream({ query: "q", documents: broken, signal: AbortSignal.abort("before") });
      read = 0;
      await assert.rejects(collect(aborted), { code: "aborted", cause: "before" });
      assert.equal(read, 0);
    });

    test("a stream unlocks a web stream that it has read to its end", async () => {
      const web = ReadableStream.from(["a", "b"]);
      await collect(reranker.stream({ query: "q", documents: web }));
      assert.equal(web.locked, false);
    });

    test("dispose ends a stream whose source gives no document, and a later stream reads nothing", async () => {
      const disposed = await Reranker.load(url, { workers });
      let ended = 0;
      const silent = () => new ReadableStream({ pull: () => new Promise(() => {}), cancel: () => void ended++ });
      const stalled = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: async () => void ended++ }) };
      const waiting = [silent(), stalled].map((source) => disposed.stream({ query: "q", documents: source }).next());
      await new Promise((resolve) => setTimeout(resolve, 10));
      disposed.dispose();
      for (const next of waiting) await assert.rejects(next, { code: "disposed" });
      assert.equal(ended, 2);
      const late = disposed.stream({ query: "q", documents: stalled });
      await assert.rejects(late.next(), { code: "disposed" });
      assert.equal(ended, 2);
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
      { query: "q", documents: {} },
      { query: "q", documents: Promise.resolve(["a"]) },
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
