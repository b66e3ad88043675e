// Several workers give the same scores as one.
import assert from "node:assert/strict";
import { afterEach, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect, lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { deferred, loadPool, manyDocuments, modelFiles, query, requestsOf, whenEnded } from "../support/pool.js";
import { assertTurns } from "../support/turns.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const several = checkpoint((labels) => labels > 1);

describe("pools of any size", () => {
  const candidates = Array.from({ length: 300 }, (_, at) => (at * 37) % 700);
  let expected;
  let labels;
  before(async () => {
    expected = await answers(0);
    labels = await labeled(0);
  });

  async function answers(workers) {
    const reranker = await Reranker.load(url, { workers });
    const collection = await reranker.prepare(manyDocuments);
    const { results, usage, backend, timings } = await reranker.rerank({ query, documents: manyDocuments });
    const streamed = (await collect(reranker.stream({ query, documents: manyDocuments }))).flatMap((part) => part.results);
    const found = {
      scores: await reranker.score(
        manyDocuments.map((document, at) => [`${query} ${at % 3}`, document]),
        { scores: "raw" },
      ),
      reranked: [results, usage],
      streamed: streamed.sort((a, b) => a.index - b.index),
      ranked: (await lastOf(collection.rank(query))).results,
      chosen: (await lastOf(collection.rank(query, { candidates, topN: 50 }))).results,
    };
    assert.equal(backend.workers, workers);
    assert.ok(timings.engineMs > 0);
    reranker.dispose();
    return found;
  }

  async function labeled(workers) {
    const reranker = await Reranker.load(several.url, { workers });
    const scores = await reranker.score(manyDocuments.map((document) => [query, document]));
    reranker.dispose();
    return scores;
  }

  for (const workers of [1, 2, 3]) {
    test(`scores with workers: ${workers} have the same bits and the same order as on the calling thread`, async () => {
      assert.deepEqual(await answers(workers), expected);
      assert.deepEqual(await labeled(workers), labels);
    });
  }
});

describe("a pool", () => {
  let reranker;
  let started;
  const pool = async (...args) => ({ reranker, started } = await loadPool(...args));
  afterEach(() => reranker?.dispose());

  test("every worker scores a part of a stream, and results arrive when they are computed", async () => {
    await pool(3);
    const parts = await collect(reranker.stream({ query, documents: manyDocuments, returnDocuments: true }));
    const shares = started.map((worker) => requestsOf(worker, "score").length);
    assert.ok(Math.min(...shares) > 0 && shares.reduce((sum, count) => sum + count) > 6, `${shares} shares`);
    let done = 0;
    for (const part of parts) assert.deepEqual([part.done, part.total], [(done += part.results.length), 700]);
    const results = parts.flatMap((part) => part.results);
    assert.ok(results.every(({ index, document }) => document === manyDocuments[index]));
    assert.deepEqual(
      results.map(({ index }) => index).sort((a, b) => a - b),
      [...manyDocuments.keys()],
    );
    assert.ok(
      results.some(({ index }, at) => index !== at),
      "results do not wait for other workers",
    );
  });

  test("a small call uses one worker, and two concurrent small calls use two", async () => {
    await pool(2);
    const small = () => reranker.rerank({ query, documents: manyDocuments.slice(0, 6) });
    await small();
    assert.deepEqual(
      started.map((worker) => requestsOf(worker, "score").length),
      [1, 0],
    );
    await Promise.all([small(), small()]);
    assert.deepEqual(
      started.map((worker) => requestsOf(worker, "score").length),
      [2, 1],
    );
  });

  test("a ranking of a pool yields the best results so far, and equal scores keep the order of the candidates", async () => {
    await pool(2);
    const collection = await reranker.prepare(manyDocuments);
    const scores = await reranker.score(manyDocuments.map((document) => [query, document]));
    const candidates = [...manyDocuments.keys()].reverse();
    const tops = await collect(collection.rank(query, { candidates }));
    assert.ok(tops.length > 3);
    for (const { results, done } of tops) {
      assert.equal(results.length, done);
      for (const [at, { index, score }] of results.entries()) {
        assert.equal(score, scores[index]);
        const before = results[at - 1];
        if (before !== undefined) assert.ok(before.score > score || (before.score === score && before.index > index));
      }
    }
  });

  test("a collection is distributed over the workers, and every document is prepared once", async () => {
    await pool(3);
    await reranker.prepare(manyDocuments);
    const prepared = started.map((worker) => requestsOf(worker, "prepare").flatMap(({ input }) => input.documents));
    assert.deepEqual(prepared.flat().sort(), [...manyDocuments].sort());
    const characters = prepared.map((documents) => documents.join("").length);
    assert.ok(Math.max(...characters) - Math.min(...characters) < 500, `${characters}`);
  });

  test("disposing a collection frees it in every worker and does not affect other collections", async () => {
    await pool(2);
    const disposed = await reranker.prepare(manyDocuments);
    const other = await reranker.prepare(manyDocuments);
    const ranking = disposed.rank(query);
    disposed.dispose();
    await assert.rejects(collect(ranking), { code: "disposed" });
    assert.equal((await lastOf(other.rank(query))).done, 700);
    for (const worker of started) assert.equal(requestsOf(worker, "release").length, 1);
  });

  test("two concurrent calls give the right results, and neither waits for the other", async () => {
    await pool(2);
    const queries = ["one", "two words"];
    const alone = [];
    for (const text of queries) alone.push((await reranker.rerank({ query: text, documents: manyDocuments })).results);
    const turns = [];
    const calls = queries.map((text) => reranker.rerank({ query: text, documents: manyDocuments, onProgress: () => turns.push(text) }));
    assert.deepEqual(
      (await Promise.all(calls)).map(({ results }) => results),
      alone,
    );
    assertTurns(turns);
  });

  test("an abort ends a call in every worker, and the next call works", async () => {
    await pool(2);
    const expected = await reranker.rerank({ query, documents: manyDocuments });
    const controller = new AbortController();
    const { promise, resolve } = deferred();
    let [parts, partsAtAbort] = [0, 0];
    const call = reranker.rerank({
      query,
      documents: manyDocuments,
      signal: controller.signal,
      onProgress: () => {
        parts++;
        resolve();
      },
    });
    await promise;
    controller.abort("enough");
    partsAtAbort = parts;
    await assert.rejects(call, { code: "aborted", cause: "enough" });
    for (const worker of started) assert.ok(requestsOf(worker, "cancel").length > 0);
    assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected.results);
    assert.equal(parts, partsAtAbort, "no progress after the abort");
  });

  test("an error of a listener ends its call in every worker, and the call is not repeated", async () => {
    await pool(2);
    const thrown = new Error("mine");
    let calls = 0;
    const onProgress = () => {
      calls++;
      throw thrown;
    };
    await assert.rejects(reranker.rerank({ query, documents: manyDocuments, onProgress }), (error) => error === thrown);
    assert.equal((await reranker.rerank({ query, documents: manyDocuments })).results.length, 700);
    assert.equal(calls, 1);
    assert.equal(started.length, 2);
  });

  test("dispose rejects running calls and ends every worker", async () => {
    await pool(2);
    const collection = await reranker.prepare(manyDocuments);
    const ranking = collection.rank(query);
    await ranking.next();
    const calls = [reranker.rerank({ query, documents: manyDocuments }), collect(ranking), reranker.prepare(manyDocuments)];
    // After the calls have sent their requests, and before an answer is heard.
    process.nextTick(() => reranker.dispose());
    for (const { reason } of await Promise.allSettled(calls)) assert.equal(reason?.code, "disposed");
    await whenEnded(started);
    await rejectsWith("disposed", /load the model again/, () => reranker.score([["q", "d"]]));
    assert.equal(started.length, 2, "no further worker was started");
  });

  test("errors of a pool name a document by its index in the caller's array", async () => {
    const files = modelFiles();
    const tokenizer = JSON.parse(await files.get("tokenizer.json").text());
    tokenizer.added_tokens.push({ ...tokenizer.added_tokens.at(-1), id: 1000, content: "[BEYOND]" });
    files.set("tokenizer.json", new Blob([JSON.stringify(tokenizer)]));
    await pool(2, { files });
    const documents = manyDocuments.with(600, "a word [BEYOND] the vocabulary");
    const message = /^document 600: the token "\[BEYOND\]"/;
    await rejectsWith("tokenizer", message, () => reranker.rerank({ query, documents }));
    await rejectsWith("tokenizer", message, () => collect(reranker.stream({ query, documents })));
    await rejectsWith("tokenizer", /^pair 600: the token/, () => reranker.score(documents.map((document) => [query, document])));
    const collection = await reranker.prepare(documents);
    await rejectsWith("tokenizer", message, () => collect(collection.rank(query, { candidates: [5, 600, 7] })));
    const { item } = await reranker.rerank({ query, documents }).catch((error) => error);
    assert.deepEqual(item, { kind: "document", start: 600, end: 601 }, "as data too");
    assert.equal((await reranker.rerank({ query, documents: manyDocuments })).results.length, 700);
  });
});
