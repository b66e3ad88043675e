import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect, lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const documents = Array.from({ length: 600 }, (_, at) => ({ id: at, text: `document ${at} has ${at * 7919} words of its own` }));

for (const workers of [0, 1]) {
  describe(`a prepared collection, with workers: ${workers}`, () => {
    let reranker;
    let collection;
    before(async () => {
      reranker = await Reranker.load(url, { workers });
      collection = await reranker.prepare(documents);
    });
    after(() => reranker.dispose());

    test("a collection gives the results of rerank", async () => {
      assert.equal(collection.size, 600);
      const { results, usage } = await reranker.rerank({ query: "a query", documents, returnDocuments: true });
      const top = await lastOf(collection.rank("a query", { returnDocuments: true }));
      assert.deepEqual(top.results, results);
      assert.deepEqual(top.usage, usage);
      assert.deepEqual([top.done, top.total], [600, 600]);
      assert.ok(top.timings.engineMs > 0 && top.timings.totalMs > 0);
      assert.equal(top.backend, reranker.info.backend);
    });

    test("a ranking yields the best results so far until it is complete", async () => {
      const scores = await reranker.score(documents.map(({ text }) => ["a query", text]));
      const tops = await collect(collection.rank("a query", { topN: 5 }));
      assert.ok(tops.length > 2, `${tops.length} rankings`);
      for (const { results, done } of tops) {
        const soFar = [...scores.slice(0, done)].map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
        assert.deepEqual(results, soFar.slice(0, 5));
      }
    });

    test("a ranking has the candidates only, and equal scores keep the order of the candidates", async () => {
      const twice = await reranker.prepare(["same", "other words", "same"]);
      for (const candidates of [[2, 1, 0], Uint32Array.of(2, 1, 0)]) {
        const { results, total } = await lastOf(twice.rank("same", { candidates }));
        assert.equal(total, 3);
        assert.deepEqual(
          results.filter(({ index }) => index !== 1).map(({ index }) => index),
          [2, 0],
        );
      }
      assert.deepEqual((await lastOf(twice.rank("same", { candidates: [] }))).results, []);
      twice.dispose();
    });

    test("a candidate that is repeated is scored once, at its first place", async () => {
      const few = await reranker.prepare(["same", "other words", "same"]);
      const once = await lastOf(few.rank("same", { candidates: [2, 0, 1] }));
      const repeated = await lastOf(few.rank("same", { candidates: [2, 0, 2, 1, 2] }));
      assert.deepEqual(repeated.results, once.results);
      assert.deepEqual([repeated.done, repeated.total, repeated.usage], [3, 3, once.usage]);
      const { results } = await lastOf(few.rank("same", { candidates: Uint32Array.of(0, 0), topN: 2 }));
      assert.deepEqual(
        results.map(({ index }) => index),
        [0],
      );
      few.dispose();
    });

    test("with latest, a newer call ends the older one and gives the right results", async () => {
      const expected = await lastOf(collection.rank("new", { topN: 3 }));
      const old = collection.rank("old", { latest: true });
      const plain = lastOf(collection.rank("other", { topN: 1 }));
      await old.next();
      const newer = lastOf(collection.rank("new", { topN: 3, latest: true }));
      await rejectsWith("aborted", /a newer call replaced this one/, () => collect(old));
      assert.deepEqual((await newer).results, expected.results);
      assert.equal((await plain).done, 600);
    });

    test("a slow reader of a replaced call gets an error instead of further results", async () => {
      const old = collection.rank("old", { latest: true, candidates: [1, 2, 3] });
      const slow = collection.rank("slow", { latest: true });
      await assert.rejects(old.next(), { code: "aborted" });
      await slow.next();
      await new Promise((done) => setTimeout(done, 300)); // Meanwhile many results are computed and buffered.
      const newer = collection.rank("new", { latest: true });
      await assert.rejects(slow.next(), { code: "aborted" });
      await collect(newer);
    });

    test("changing the caller's array later does not change a collection or a running call", async () => {
      const given = ["one", "two"];
      const preparing = reranker.prepare(given);
      given.push("three");
      const prepared = await preparing;
      const { results, done, total } = await lastOf(prepared.rank("q", { returnDocuments: true }));
      assert.deepEqual([prepared.size, done, total, results.length], [2, 2, 2, 2]);
      const answer = reranker.rerank({ query: "q", documents: given, returnDocuments: true });
      given.length = 0;
      assert.deepEqual((await answer).results.map(({ document }) => document).sort(), ["one", "three", "two"]);
    });

    test("leaving the loop ends a ranking, and aborting rejects it", async () => {
      for await (const { done } of collection.rank("a query")) {
        assert.ok(done < 600);
        break;
      }
      const controller = new AbortController();
      const ranking = collection.rank("a query", { signal: controller.signal });
      await ranking.next();
      controller.abort("enough");
      await assert.rejects(collect(ranking), { code: "aborted", cause: "enough" });
    });

    test("disposing a collection rejects its rankings and does not affect other collections", async () => {
      const other = await reranker.prepare([{ title: "one", body: "two" }], { rankFields: ["title", "body"], maxTokensPerDocument: 4 });
      const expected = await reranker.score([["q", "title: one\nbody: two"]]);
      assert.notEqual((await lastOf(other.rank("q"))).results[0].score, undefined);
      const whole = await reranker.prepare(["title: one\nbody: two"]);
      assert.deepEqual((await lastOf(whole.rank("q"))).results[0].score, expected[0]);
      const ranking = other.rank("q");
      other.dispose();
      other.dispose();
      await assert.rejects(collect(ranking), { code: "disposed" });
      await rejectsWith("disposed", /the collection was disposed; prepare/, () => collect(other.rank("q")));
      assert.equal((await lastOf(collection.rank("q", { candidates: [7] }))).results[0].index, 7);
    });

    test("disposing a collection ends a ranking in progress", async () => {
      const own = await reranker.prepare(documents);
      const ranking = own.rank("q");
      await ranking.next();
      own.dispose();
      await rejectsWith("disposed", /the collection was disposed/, () => collect(ranking));
    });

    test("preparing reports progress and can be aborted", async () => {
      const seen = [];
      await reranker.prepare(documents, { onProgress: (progress) => seen.push(progress) });
      assert.deepEqual(seen.at(-1), { stage: "prepare", done: 600, total: 600 });
      const controller = new AbortController();
      const stopped = reranker.prepare(documents, { signal: controller.signal, onProgress: () => controller.abort("no") });
      await assert.rejects(stopped, { code: "aborted", cause: "no" });
      await assert.rejects(
        reranker.prepare(documents, {
          onProgress: () => {
            throw new Error("mine");
          },
        }),
        /mine/,
      );
    });

    test("wrong arguments of prepare and rank are refused immediately, by name", async () => {
      const wrong = [
        [[7], /query must be a string, not 7/],
        [["q", { topN: 0 }], /topN must be a whole number/],
        [["q", { top: 1 }], /unknown option "top"/],
        [["q", { candidates: "all" }], /candidates must be an array/],
        [["q", { candidates: [0, -1] }], /candidates\[1\] must be the index of a document in the collection, not -1/],
        [["q", { candidates: [0, 600] }], /candidates\[1\] is 600, and the collection has 600 documents/],
        [
          ["q", { candidates: [4, 7, 4], fuse: { firstStage: [3, 2, 1], method: "rrf" } }],
          /candidates\[2\] is 4 again; with fuse, list each candidate once/,
        ],
      ];
      for (const [args, message] of wrong) assert.throws(() => collection.rank(...args), { code: "input", message });
      await rejectsWith("input", /prepare: documents must be an array/, () => reranker.prepare("text"));
      await rejectsWith("input", /documents\[1\] must be a string/, () => reranker.prepare(["a", 7]));
    });

    test("an empty collection gives one empty ranking", async () => {
      const none = await reranker.prepare([]);
      const tops = await collect(none.rank("q"));
      assert.deepEqual(
        tops.map(({ results, done, total }) => [results, done, total]),
        [[[], 0, 0]],
      );
    });
  });
}
