// Clients that leave while the model loads, and the contexts that keep their requests in a Worker.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { client, manualReranker, question, quickReranker as quick } from "../../support/servers/rerank-handler.js";

const { query, documents } = question;
const valid = { query, documents };

for (const [path, body] of [
  ["/v1/rerank", valid],
  ["/score", { text_1: query, text_2: documents }],
]) {
  test(`a client of ${path} that hangs up while the model loads leaves its turn, and the model loads on for the next`, async () => {
    let finish;
    let loads = 0;
    const load = () => {
      loads++;
      return new Promise((resolve) => (finish = () => resolve(quick)));
    };
    const { post } = client(load, { maxConcurrent: 1, maxQueue: 0 });
    const controller = new AbortController();
    const left = post(path, body, { signal: controller.signal });
    await sleep(10);
    controller.abort();
    assert.equal((await left).status, 499);
    const next = post(path, body);
    await sleep(10);
    finish();
    assert.equal((await next).status, 200);
    assert.equal(loads, 1);
  });
}

describe("the context of a Worker's request", () => {
  /** A context that collects what it is told to wait for. */
  function fakeContext() {
    return {
      promises: [],
      waitUntil(promise) {
        this.promises.push(promise);
      },
    };
  }
  const request = (signal) => new Request("http://localhost/v1/rerank", { method: "POST", body: JSON.stringify(valid), signal });

  test("is kept for the whole answer", { timeout: 120_000 }, async () => {
    const reranker = manualReranker();
    const { handler } = client(reranker);
    const context = fakeContext();
    const answer = handler(request(), {}, context);
    assert.equal(context.promises.length, 1);
    await sleep(10);
    reranker.calls[0].release();
    assert.equal(await context.promises[0], await answer);
  });

  test("is kept for the load too, because others wait for it", { timeout: 120_000 }, async () => {
    for (const end of ["resolve", "reject"]) {
      let loading;
      const { handler } = client(() => new Promise((resolve, reject) => (loading = { resolve, reject })));
      const context = fakeContext();
      const controller = new AbortController();
      const answer = handler(request(controller.signal), {}, context);
      await sleep(10);
      controller.abort();
      assert.equal((await answer).status, 499);
      let loaded = false;
      const kept = Promise.all(context.promises).then(() => (loaded = true));
      await sleep(10);
      assert.equal(loaded, false);
      loading[end](quick);
      // Also after a failure: workerd logs promises that reject.
      await kept;
    }
  });

  test("may be anything else in other runtimes", async () => {
    const { handler } = client(quick);
    for (const extra of [[], [undefined, undefined], [{ remoteAddr: {} }], [{ incoming: {} }, {}], [0, null]]) {
      assert.equal((await handler(request(), ...extra)).status, 200);
    }
  });
});
