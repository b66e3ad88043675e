// A pool gives all scores even if workers end during a call.
import assert from "node:assert/strict";
import { afterEach, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { failing, loadPool, manyDocuments, query, requestsOf, silent, trapping } from "../support/pool.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);

describe("a pool that loses workers", () => {
  let reranker;
  let started;
  let expected;
  const pool = async (...args) => ({ reranker, started } = await loadPool(...args));
  before(async () => {
    const other = await Reranker.load(url, { workers: 0 });
    expected = (await other.rerank({ query, documents: manyDocuments })).results;
    other.dispose();
  });
  afterEach(() => reranker?.dispose());

  /** Reranks, and calls `meanwhile` after the first micro-batch. */
  async function rerankWhile(meanwhile) {
    let first = true;
    let done = 0;
    const onProgress = (progress) => {
      assert.ok(progress.done > done, "the progress does not go back");
      done = progress.done;
      if (first) meanwhile();
      first = false;
    };
    return (await reranker.rerank({ query, documents: manyDocuments, onProgress })).results;
  }

  for (const lost of [[0], [1], [0, 1], [0, 1, 2]]) {
    test(`a call gives all scores if ${lost.length} of 3 workers end during it (${lost})`, async () => {
      await pool(3);
      assert.deepEqual(await rerankWhile(() => lost.forEach((at) => void started[at].worker.terminate())), expected);
      assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
      assert.equal(started.length, 3 + lost.length, "lost workers are replaced");
    });
  }

  test("a ranking of a collection survives the loss of a worker, and only the lost documents are prepared again", async () => {
    await pool(2);
    const collection = await reranker.prepare(manyDocuments);
    const ranking = collection.rank(query);
    await ranking.next();
    void started[1].worker.terminate();
    assert.deepEqual((await lastOf(ranking)).results, expected);
    // The worker may have scored its part before it ended; then this ranking needs another one.
    assert.deepEqual((await lastOf(collection.rank(query))).results, expected);
    const prepared = (worker) => requestsOf(worker, "prepare").flatMap(({ input }) => input.documents);
    assert.equal(started.length, 3);
    assert.deepEqual(prepared(started[2]), prepared(started[1]));
    assert.ok(prepared(started[2]).length < 400);
  });

  test("preparing a collection survives the loss of a worker", async () => {
    await pool(2);
    const preparing = reranker.prepare(manyDocuments, { onProgress: () => void started[0].worker.terminate() });
    assert.deepEqual((await lastOf((await preparing).rank(query))).results, expected);
  });

  for (const [document, message] of [
    ["trap", /failed \(unreachable\)/],
    ["exit", /the worker ended/],
  ]) {
    test(`a call is rejected if its document ends two workers (${document}), and the next call works`, async () => {
      await pool(2);
      await rejectsWith("internal", message, () => reranker.rerank({ query, documents: [document] }));
      assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
      assert.ok(started.length <= 4, `${started.length} workers`);
    });
  }

  test("the loss of one of two workers does not end a concurrent call", async () => {
    await pool(2);
    const results = rerankWhile(() => void started[0].worker.terminate());
    const concurrent = reranker.score(manyDocuments.map((document) => [query, document]));
    assert.deepEqual(await results, expected);
    assert.equal((await concurrent).length, 700);
  });

  test("a worker that cannot be replaced is left out and not started again and again", async () => {
    await pool(2, { program: (at) => (at < 2 ? trapping : failing) });
    assert.deepEqual(await rerankWhile(() => void started[1].worker.terminate()), expected);
    for (let at = 0; at < 3; at++) assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
    assert.equal(started.length, 3);
  });

  test("if no worker can be replaced, the call rejects with the reason, and the next call tries again", async () => {
    let program = trapping;
    await pool(2, { program: () => program });
    program = failing;
    for (const { worker } of started) await worker.terminate();
    await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, () => reranker.rerank({ query, documents: manyDocuments }));
    program = trapping;
    assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
  });

  for (const [name, end, code] of [
    ["an abort", (controller) => controller.abort(), "aborted"],
    ["dispose", () => reranker.dispose(), "disposed"],
  ]) {
    test(`${name} does not wait while all workers are being replaced`, async () => {
      await pool(2, { program: (at) => (at < 2 ? trapping : silent) });
      for (const { worker } of started) await worker.terminate();
      const controller = new AbortController();
      const call = reranker.score([["q", "d"]], { signal: controller.signal });
      setTimeout(() => end(controller), 50);
      await assert.rejects(call, { code });
    });
  }
});
