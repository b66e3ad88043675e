import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const query = "Which city has the most people?";
const documents = Array.from({ length: 60 }, (_, at) => `Number ${at}: ${"a city with many people and a river, ".repeat(4 + (at % 4))}`);

/** More than the pairs that workers score at the same time, in chunks of about two documents each. */
const outOfOrder = 12;

for (const workers of [0, 1, 2]) {
  describe(`deadlineMs with ${workers} workers`, () => {
    let reranker;
    let whole;
    let totalMs;
    before(async () => {
      reranker = await Reranker.load(undefined, { workers });
      await reranker.rerank({ query, documents: documents.slice(0, 8) });
      const response = await reranker.rerank({ query, documents });
      whole = new Map(response.results.map(({ index, score }) => [index, score]));
      totalMs = response.timings.totalMs;
    });
    after(() => reranker.dispose());

    /** Asserts that a ranking has the first documents, with the scores of a whole ranking, and lists the others as unscored. */
    function assertPartial({ results, unscored }) {
      const scored = results.map(({ index }) => index).sort((a, b) => a - b);
      assert.deepEqual(
        [...scored, ...unscored].sort((a, b) => a - b),
        [...documents.keys()],
      );
      assert.deepEqual(
        unscored,
        unscored.toSorted((a, b) => a - b),
      );
      assert.ok(unscored.length > 0 && scored.length > 0, `${scored.length} scored`);
      for (const { index, score } of results) assert.equal(score, whole.get(index));
      for (const [at, { score }] of results.entries()) assert.ok(at === 0 || score <= results[at - 1].score);
      const allowed = workers === 2 ? outOfOrder : 0;
      assert.ok(scored.at(-1) < scored.length + allowed, `of ${scored.length} documents, the last is ${scored.at(-1)}`);
    }

    test("a tenth of a ranking returns within 1.2 times the deadline with the first documents", async (t) => {
      const deadlineMs = totalMs / 10;
      // The machine may be busy with something else, so one of many tries counts.
      let ratio = Infinity;
      for (let attempt = 0; attempt < 60 && ratio > 1.2; attempt++) {
        const started = performance.now();
        const response = await reranker.rerank({ query, documents, deadlineMs });
        const taken = (performance.now() - started) / deadlineMs;
        // Nothing is scored while another program has the processor.
        if (response.results.length === 0) continue;
        assertPartial(response);
        ratio = Math.min(ratio, taken);
        t.diagnostic(
          `deadline ${deadlineMs.toFixed(0)} ms, ${response.results.length} of ${documents.length} documents, ${ratio.toFixed(3)} of the time`,
        );
      }
      assert.ok(ratio <= 1.2, `${ratio} times the deadline`);
      // Nothing of the call is left that disturbs the next one.
      assert.equal((await reranker.rerank({ query, documents: documents.slice(0, 3) })).results.length, 3);
    });

    test("collection.rank ends with the best so far and lists the others", async () => {
      const collection = await reranker.prepare(documents);
      let last;
      const isPartial = () => last !== undefined && last.done > 0 && last.done < documents.length;
      // How much is scored in the time depends on what else the machine does.
      for (let attempt = 0; attempt < 20 && !isPartial(); attempt++) {
        last = undefined;
        for await (const ranking of collection.rank(query, { deadlineMs: totalMs / 4, topN: documents.length })) {
          assert.ok(last === undefined || last.unscored.length === 0, "only the last ranking lists documents");
          last = ranking;
        }
      }
      assert.equal(last.done, last.results.length);
      assertPartial(workers === 2 ? { ...last, results: last.results } : last);
      collection.dispose();
    });

    test("a call that is done in time is as without a deadline", async () => {
      const options = { query, documents: documents.slice(0, 5) };
      const { results, unscored } = await reranker.rerank({ ...options, deadlineMs: 1e12 });
      assert.deepEqual(results, (await reranker.rerank(options)).results);
      assert.deepEqual(unscored, []);
    });
  });
}

describe("a deadline", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
  after(() => reranker.dispose());

  test("that passes before the first score gives an empty ranking and no error", async () => {
    // The time passes before the next message of a worker is heard.
    await new Promise(setImmediate);
    const { results, unscored, usage } = await reranker.rerank({ query, documents, deadlineMs: 0.001 });
    assert.deepEqual(results, []);
    assert.deepEqual(unscored, [...documents.keys()]);
    assert.deepEqual(usage, { tokens: 0, documents: documents.length });
  });

  test("does not hide an abort, nor an error of a callback", async () => {
    const controller = new AbortController();
    await rejectsWith("aborted", /aborted by its signal/, () =>
      reranker.rerank({ query, documents, deadlineMs: 1e6, signal: controller.signal, onProgress: () => controller.abort() }),
    );
    const thrown = new Error("mine");
    await assert.rejects(
      reranker.rerank({
        query,
        documents: ["a"],
        deadlineMs: 1e6,
        onProgress: () => {
          throw thrown;
        },
      }),
      (error) => error === thrown,
    );
  });

  test("ranks and leaves out results among the scored documents", async (t) => {
    // The time passes when two documents are scored, however fast the machine is.
    const deadlineMs = 1e6;
    const now = performance.now.bind(performance);
    let passedMs = 0;
    t.mock.method(performance, "now", () => now() + passedMs);
    const onProgress = ({ done }) => (passedMs = done < 2 ? 0 : deadlineMs);
    const firstStage = documents.map((_, at) => documents.length - at);
    const { results, unscored } = await reranker.rerank({
      query,
      documents,
      deadlineMs,
      topN: 2,
      onProgress,
      fuse: { firstStage, method: "linear", weight: 0 },
    });
    assert.deepEqual(
      results.map(({ index }) => index),
      [0, 1],
    );
    assert.ok(unscored.length > 0);
    // The first stage is scaled by the scores of all documents, also of those that the model did not score.
    assert.deepEqual(
      results.map(({ score }) => score),
      [1, 58 / 59],
    );
  });
});
