import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const documents = Array.from({ length: 600 }, (_, at) => ({ id: at, text: `document ${at} has ${at * 7919} words of its own` }));

/** Every ranking that comes, until the end. */
async function all(ranking) {
  const tops = [];
  for await (const top of ranking) tops.push(top);
  return tops;
}

async function last(ranking) {
  return (await all(ranking)).at(-1);
}

for (const workers of [0, 1]) {
  describe(`a prepared collection, with workers: ${workers}`, () => {
    let reranker;
    let collection;
    before(async () => {
      reranker = await Reranker.load(url, { workers });
      collection = await reranker.prepare(documents);
    });
    after(() => reranker.dispose());

    test("ranks as rerank does", async () => {
      assert.equal(collection.size, 600);
      const { results, usage } = await reranker.rerank({ query: "a query", documents, returnDocuments: true });
      const top = await last(collection.rank("a query", { returnDocuments: true }));
      assert.deepEqual(top.results, results);
      assert.deepEqual(top.usage, usage);
      assert.deepEqual([top.done, top.total], [600, 600]);
      assert.ok(top.timings.engineMs > 0 && top.timings.totalMs > 0);
      assert.equal(top.backend, reranker.info.backend);
    });

    test("gives the best so far while it goes on", async () => {
      const scores = await reranker.score(documents.map(({ text }) => ["a query", text]));
      const tops = await all(collection.rank("a query", { topN: 5 }));
      assert.ok(tops.length > 2, `${tops.length} rankings`);
      for (const { results, done } of tops) {
        const soFar = [...scores.slice(0, done)].map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
        assert.deepEqual(results, soFar.slice(0, 5));
      }
    });

    test("ranks the candidates alone, equal ones in their order", async () => {
      const twice = await reranker.prepare(["same", "other words", "same"]);
      for (const candidates of [[2, 1, 0], Uint32Array.of(2, 1, 0)]) {
        const { results, total } = await last(twice.rank("same", { candidates }));
        assert.equal(total, 3);
        assert.deepEqual(results.filter(({ index }) => index !== 1).map(({ index }) => index), [2, 0]);
      }
      assert.deepEqual((await last(twice.rank("same", { candidates: [] }))).results, []);
      twice.dispose();
    });

    test("latest: a newer call ends the older one, and is right", async () => {
      const expected = await last(collection.rank("new", { topN: 3 }));
      const old = collection.rank("old", { latest: true });
      const plain = last(collection.rank("beside", { topN: 1 }));
      await old.next();
      const fresh = last(collection.rank("new", { topN: 3, latest: true }));
      await rejectsWith("aborted", /a newer call took this one's place/, () => all(old));
      assert.deepEqual((await fresh).results, expected.results);
      assert.equal((await plain).done, 600);
    });

    test("a slow reader of an overtaken call gets nothing more of it, not even its end", async () => {
      const old = collection.rank("old", { latest: true, candidates: [1, 2, 3] });
      const slow = collection.rank("slow", { latest: true });
      await assert.rejects(old.next(), { code: "aborted" });
      await slow.next();
      await new Promise((done) => setTimeout(done, 300)); // Much is scored and held for it meanwhile.
      const fresh = collection.rank("new", { latest: true });
      await assert.rejects(slow.next(), { code: "aborted" });
      await all(fresh);
    });

    test("keeps the documents it was given", async () => {
      const given = ["one", "two"];
      const preparing = reranker.prepare(given);
      given.push("three");
      const own = await preparing;
      const { results, done, total } = await last(own.rank("q", { returnDocuments: true }));
      assert.deepEqual([own.size, done, total, results.length], [2, 2, 2, 2]);
      const answer = reranker.rerank({ query: "q", documents: given, returnDocuments: true });
      given.length = 0;
      assert.deepEqual((await answer).results.map(({ document }) => document).sort(), ["one", "three", "two"]);
    });

    test("leaving the loop ends the work; aborting rejects", async () => {
      for await (const { done } of collection.rank("a query")) {
        assert.ok(done < 600);
        break;
      }
      const controller = new AbortController();
      const ranking = collection.rank("a query", { signal: controller.signal });
      await ranking.next();
      controller.abort("enough");
      await assert.rejects(all(ranking), { code: "aborted", cause: "enough" });
    });

    test("is apart from other collections, and gone when disposed", async () => {
      const other = await reranker.prepare([{ title: "one", body: "two" }], { rankFields: ["title", "body"], maxTokensPerDocument: 4 });
      const expected = await reranker.score([["q", "title: one\nbody: two"]]);
      assert.notEqual((await last(other.rank("q"))).results[0].score, undefined);
      const whole = await reranker.prepare(["title: one\nbody: two"]);
      assert.deepEqual((await last(whole.rank("q"))).results[0].score, expected[0]);
      const underWay = other.rank("q");
      other.dispose();
      other.dispose();
      await assert.rejects(all(underWay), { code: "disposed" });
      await rejectsWith("disposed", /the collection was disposed; prepare/, () => all(other.rank("q")));
      assert.equal((await last(collection.rank("q", { candidates: [7] }))).results[0].index, 7);
    });

    test("disposing it ends every ranking of it", async () => {
      const own = await reranker.prepare(documents);
      const ranking = own.rank("q");
      await ranking.next();
      own.dispose();
      await rejectsWith("disposed", /the collection was disposed/, () => all(ranking));
    });

    test("tells of its preparation and can be stopped in it", async () => {
      const seen = [];
      await reranker.prepare(documents, { onProgress: (progress) => seen.push(progress) });
      assert.deepEqual(seen.at(-1), { stage: "prepare", done: 600, total: 600 });
      const controller = new AbortController();
      const stopped = reranker.prepare(documents, { signal: controller.signal, onProgress: () => controller.abort("no") });
      await assert.rejects(stopped, { code: "aborted", cause: "no" });
      await assert.rejects(reranker.prepare(documents, { onProgress: () => { throw new Error("mine"); } }), /mine/);
    });

    test("rejects wrong arguments at once, naming them", async () => {
      const wrong = [
        [[7], /query must be a string, not 7/],
        [["q", { topN: 0 }], /topN must be a whole number/],
        [["q", { top: 1 }], /unknown option "top"/],
        [["q", { candidates: "all" }], /candidates must be an array/],
        [["q", { candidates: [0, -1] }], /candidates\[1\] must be a document's place in the collection, not -1/],
        [["q", { candidates: [0, 600] }], /candidates\[1\] is 600, and the collection has 600 documents/],
      ];
      for (const [args, message] of wrong) assert.throws(() => collection.rank(...args), { code: "input", message });
      await rejectsWith("input", /prepare: documents must be an array/, () => reranker.prepare("text"));
      await rejectsWith("input", /documents\[1\] must be a string/, () => reranker.prepare(["a", 7]));
    });

    test("empty ones give one empty ranking", async () => {
      const none = await reranker.prepare([]);
      const tops = await all(none.rank("q"));
      assert.deepEqual(tops.map(({ results, done, total }) => [results, done, total]), [[[], 0, 0]]);
    });
  });
}
