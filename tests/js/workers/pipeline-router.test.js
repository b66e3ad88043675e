// The way of micro-batches through workers that each hold some layers, with workers that answer when a test tells them to.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dist } from "../support/paths.js";
import { deferred } from "../support/pool.js";

const { PipelineRouter } = await import(new URL("worker/pipeline/pipeline-router.js", dist));

describe("the way of micro-batches through the workers", () => {
  /** A worker that answers when it is told to. */
  function worker() {
    const calls = [];
    const { promise: ended, resolve: end } = deferred();
    const call = (make) =>
      new Promise((resolve, reject) =>
        calls.push({
          request: make(calls.length),
          answer: (values) => resolve({ type: "ran", values: Float32Array.of(...values), ms: 5 }),
          reject,
        }),
      );
    return { calls, call, ended, end };
  }

  function chain(count) {
    const { ended, end } = worker();
    const first = {
      ended,
      end,
      posted: [],
      closed: [],
      post: (request) => first.posted.push(request),
      close: (reason) => first.closed.push(reason),
    };
    const others = Array.from({ length: count }, worker);
    const router = new PipelineRouter(first, others);
    const route = (batch) => router.route({ type: "batch", batch, hiddenStates: Float32Array.of(batch), offsets: Uint32Array.of(0, 1) });
    return { first, others, router, route };
  }
  const values = ({ calls }) => calls.map(({ request }) => request.hiddenStates[0]);
  const turn = () => new Promise(setImmediate);

  test("each worker has two micro-batches at most, all workers compute at the same time, and logits come in order", async () => {
    const {
      first,
      others: [second, third],
      route,
    } = chain(2);
    for (const batch of [0, 1, 2, 3]) route(batch);
    assert.deepEqual(values(second), [0, 1]);
    second.calls[0].answer([10]);
    second.calls[1].answer([11]);
    await turn();
    assert.deepEqual(
      [values(second), values(third)],
      [
        [0, 1, 2, 3],
        [10, 11],
      ],
    );
    assert.deepEqual(first.posted, []);
    third.calls[0].answer([20, 21]);
    await turn();
    assert.deepEqual(
      first.posted.map(({ type, batch, values, ms }) => [type, batch, [...values], ms]),
      [["logits", 0, [20, 21], 10]],
    );
  });

  test("a dropped micro-batch goes no further", async () => {
    const {
      first,
      others: [second, third],
      router,
      route,
    } = chain(2);
    for (const batch of [0, 1, 2]) route(batch);
    for (const batch of [0, 2]) router.drop(batch);
    second.calls[0].answer([10]);
    second.calls[1].answer([11]);
    await turn();
    assert.deepEqual([values(second), values(third)], [[0, 1], [11]]);
    third.calls[0].answer([21]);
    await turn();
    assert.deepEqual(
      first.posted.map(({ batch }) => batch),
      [1],
    );
  });

  test("after the end of the first worker, nothing is sent to the others", async () => {
    const {
      first,
      others: [second, third],
      route,
    } = chain(2);
    for (const batch of [0, 1, 2]) route(batch);
    first.end();
    await turn();
    second.calls[0].answer([10]);
    await turn();
    assert.deepEqual([values(second), values(third)], [[0, 1], []]);
  });

  test("activations that are not finite go back to the first worker at once", async () => {
    const {
      first,
      others: [second, third],
      route,
    } = chain(2);
    route(0);
    second.calls[0].answer([]);
    await turn();
    assert.deepEqual(
      first.posted.map(({ batch, values }) => [batch, values.length]),
      [[0, 0]],
    );
    assert.deepEqual(third.calls, []);
  });

  test("the end or an error of a worker ends the first one", async () => {
    const one = chain(1);
    one.others[0].end();
    await turn();
    assert.deepEqual(one.first.closed, ["a worker with a later stage of the model ended"]);
    const other = chain(1);
    other.route(0);
    other.others[0].calls[0].reject(new Error("broken"));
    await turn();
    assert.deepEqual(other.first.closed, ["broken"]);
  });
});
