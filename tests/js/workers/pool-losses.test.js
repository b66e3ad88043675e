// A pool whose workers end in the middle of calls still gives every score.
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

  /** Reranks, and does something when the first micro-batch is scored. */
  async function rerankWhile(meanwhile) {
    let first = true;
    let done = 0;
    const onProgress = (progress) => {
      assert.ok(progress.done > done, "nothing is told of twice");
      done = progress.done;
      if (first) meanwhile();
      first = false;
    };
    return (await reranker.rerank({ query, documents: manyDocuments, onProgress })).results;
  }

  for (const lost of [[0], [1], [0, 1], [0, 1, 2]]) {
    test(`scores all the same when ${lost.length} of 3 end in the middle of a call (${lost})`, async () => {
      await pool(3);
      assert.deepEqual(await rerankWhile(() => lost.forEach((at) => void started[at].worker.terminate())), expected);
      assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
      assert.equal(started.length, 3 + lost.length, "and replaces them");
    });
  }

  test("ranks a collection all the same, and prepares again only what is lost", async () => {
    await pool(2);
    const collection = await reranker.prepare(manyDocuments);
    const ranking = collection.rank(query);
    await ranking.next();
    void started[1].worker.terminate();
    assert.deepEqual((await lastOf(ranking)).results, expected);
    const prepared = (worker) => requestsOf(worker, "prepare").flatMap(({ input }) => input.documents);
    assert.equal(started.length, 3);
    assert.deepEqual(prepared(started[2]), prepared(started[1]));
    assert.ok(prepared(started[2]).length < 400);
  });

  test("prepares a collection all the same", async () => {
    await pool(2);
    const preparing = reranker.prepare(manyDocuments, { onProgress: () => void started[0].worker.terminate() });
    assert.deepEqual((await lastOf((await preparing).rank(query))).results, expected);
  });

  for (const [document, message] of [["trap", /failed \(unreachable\)/], ["exit", /the worker ended/]]) {
    test(`gives a document up that costs two workers (${document}), and the next call is right`, async () => {
      await pool(2);
      await rejectsWith("internal", message, () => reranker.rerank({ query, documents: [document] }));
      assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
      assert.ok(started.length <= 4, `${started.length} workers`);
    });
  }

  test("a call that costs one worker of two does not end the calls beside it", async () => {
    await pool(2);
    const results = rerankWhile(() => void started[0].worker.terminate());
    const beside = reranker.score(manyDocuments.map((document) => [query, document]));
    assert.deepEqual(await results, expected);
    assert.equal((await beside).length, 700);
  });

  test("does without one that cannot be replaced, and does not try for ever", async () => {
    await pool(2, { program: (at) => (at < 2 ? trapping : failing) });
    assert.deepEqual(await rerankWhile(() => void started[1].worker.terminate()), expected);
    for (let at = 0; at < 3; at++) assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
    assert.equal(started.length, 3);
  });

  test("says why when none can be replaced, and tries again with the next call", async () => {
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
    test(`does not hold up ${name} while all are being replaced`, async () => {
      await pool(2, { program: (at) => (at < 2 ? trapping : silent) });
      for (const { worker } of started) await worker.terminate();
      const controller = new AbortController();
      const call = reranker.score([["q", "d"]], { signal: controller.signal });
      setTimeout(() => end(controller), 50);
      await assert.rejects(call, { code });
    });
  }
});
