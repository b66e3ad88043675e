// With workers: 0, scoring lets other tasks run about every 16 ms.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { StepBudget } = await import(new URL("engine/step-budget.js", dist));

describe("workers: 0", () => {
  // About 15 tokens each, so that the engine's own micro-batches have dozens.
  const documents = Array.from({ length: 200 }, (_, at) => `Document ${at} tells how bees keep their hive warm.`);

  test("scoring pauses after a few pairs at a time, and an abort between them is heard", async (t) => {
    const reranker = await Reranker.load(undefined, { workers: 0 });
    const controller = new AbortController();
    const holds = [];
    let last = performance.now();
    let done = 0;
    const tick = () => {
      holds.push(performance.now() - last);
      last = performance.now();
      if (done < documents.length) timer = setImmediate(tick);
    };
    let timer = setImmediate(tick);
    await reranker.rerank({ query: "bees in winter", documents, onProgress: (progress) => ({ done } = progress) });
    clearImmediate(timer);
    holds.sort((a, b) => a - b);
    t.diagnostic(
      `the thread was held for ${holds.at(-1).toFixed(0)} ms at most, ${holds.at(Math.floor(0.9 * holds.length)).toFixed(0)} ms in nine of ten`,
    );
    assert.ok(holds.length >= 20, `${holds.length} pauses`);

    const onProgress = ({ done }) => {
      if (done >= 5) setImmediate(() => controller.abort());
    };
    let seen = 0;
    const call = reranker.rerank({
      query: "bees",
      documents,
      signal: controller.signal,
      onProgress: (progress) => {
        seen = progress.done;
        onProgress(progress);
      },
    });
    await assert.rejects(call, { code: "aborted" });
    assert.ok(seen < documents.length / 2, `${seen} documents were scored`);
    reranker.dispose();
  });

  test("scores are those of a worker, which takes larger micro-batches", async () => {
    const answers = [];
    for (const workers of [0, 1]) {
      const reranker = await Reranker.load(undefined, { workers });
      let parts = 0;
      const { results } = await reranker.rerank({ query: "bees", documents, onProgress: () => parts++ });
      answers.push({ results, parts });
      reranker.dispose();
    }
    assert.deepEqual(answers[0].results, answers[1].results);
    assert.ok(answers[0].parts > 2 * answers[1].parts, `${answers.map(({ parts }) => parts)} micro-batches`);
  });
});

describe("StepBudget", () => {
  /** Records steps of pairs with 20 tokens, each at `tokensPerMs`, and returns the milliseconds of each. */
  const run = (budget, tokensPerMs, steps = 20) =>
    Array.from({ length: steps }, () => {
      const pairs = Math.max(1, Math.ceil(budget.tokens / 20));
      const ms = (pairs * 20) / tokensPerMs;
      budget.record(pairs * 20, pairs, ms);
      return ms;
    });

  test("finds a size that takes the given time at most, and follows the speed", () => {
    const budget = new StepBudget(16);
    for (const tokensPerMs of [10, 2, 40]) {
      const times = run(budget, tokensPerMs);
      for (const ms of times.slice(10))
        assert.ok(ms <= 16.001 && ms >= 16 - 2 * (20 / tokensPerMs), `${ms} ms at ${tokensPerMs} tokens per ms`);
    }
  });

  test("takes one pair at a time on a slow thread, and grows where the clock stands still", () => {
    const slow = new StepBudget(16);
    run(slow, 0.5);
    assert.equal(slow.tokens, 1);
    const frozen = new StepBudget(16);
    run(frozen, Infinity);
    assert.ok(frozen.tokens > 10_000);
  });
});
