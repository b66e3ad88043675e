import assert from "node:assert/strict";
import { after, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { runNode } from "../support/children/processes.js";
import { lastOf } from "../support/collect.js";
import { severalBatches } from "../support/models/documents.js";
import { loadWorker, silent, trapping, whenEnded } from "../support/pool.js";

/** Many more documents than are scored before the worker ends. */
const many = Array(30).fill(severalBatches).flat();

describe("a worker", () => {
  /** Whether new workers run a program that never answers. */
  let isSilent = false;
  let started;
  let reranker;
  beforeEach(async () => {
    reranker?.dispose();
    ({ reranker, started } = await loadWorker({ program: () => (isSilent ? silent : trapping) }));
  });
  after(() => reranker.dispose());

  const failures = {
    traps: { how: () => reranker.rerank({ query: "q", documents: ["trap"] }), message: /failed \(unreachable\)/ },
    exits: { how: () => reranker.rerank({ query: "q", documents: ["exit"] }), message: /the worker ended \(it exited with code 3\)/ },
    "sends a malformed message": {
      how: () => reranker.rerank({ query: "q", documents: ["nonsense"] }),
      message: /sent an invalid reply: a field of "partial" is wrong/,
    },
    "is killed": {
      how: () => reranker.rerank({ query: "q", documents: many, onProgress: () => void started[0].worker.terminate() }),
      message: /the worker ended \(it exited with code 1\)/,
    },
  };
  for (const [name, { how, message }] of Object.entries(failures)) {
    test(`a worker that ${name} rejects its calls with the code internal, and the next call works`, async () => {
      const expected = await reranker.rerank({ query: "q", documents: severalBatches });
      const collection = await reranker.prepare(severalBatches);
      const concurrent = assert.rejects(reranker.rerank({ query: "q", documents: many }), { code: "internal" });
      await rejectsWith("internal", message, how);
      await concurrent;
      const [again, prepared] = await Promise.all([
        reranker.rerank({ query: "q", documents: severalBatches }),
        lastOf(collection.rank("q")),
      ]);
      assert.deepEqual(again.results, expected.results);
      assert.deepEqual(prepared.results, expected.results, "collections are prepared again");
      assert.equal(started.length, 2);
    });
  }

  for (const [name, end, code] of [
    ["an abort", (controller) => controller.abort(), "aborted"],
    ["dispose", () => reranker.dispose(), "disposed"],
  ]) {
    test(`${name} does not wait for a worker that is being replaced`, async () => {
      await started[0].worker.terminate();
      isSilent = true;
      const controller = new AbortController();
      const call = reranker.score([["q", "d"]], { signal: controller.signal });
      setTimeout(() => end(controller), 50);
      await assert.rejects(call, { code });
      isSilent = false;
      reranker.dispose();
      await whenEnded(started);
    });
  }

  test("a worker that ends between calls is replaced without an error", async () => {
    const expected = await reranker.score([["q", "d"]]);
    await started[0].worker.terminate();
    assert.deepEqual(await reranker.score([["q", "d"]]), expected);
    assert.equal(started.length, 2);
  });

  test("a worker answers a malformed request with an error and continues to work", async () => {
    const expected = await reranker.score([["q", "d"]]);
    const replies = [];
    started[0].worker.on("message", (message) => replies.push(message));
    for (const message of [
      { type: "score", call: 99 },
      { type: "score", call: 98, job: { kind: "pairs", queries: ["q"], documents: [] }, scores: "model" },
    ]) {
      started[0].worker.postMessage(message);
    }
    assert.deepEqual(await reranker.score([["q", "d"]]), expected);
    const failed = replies.filter(({ type }) => type === "failed").map(({ call, code, fatal }) => ({ call, code, fatal }));
    assert.deepEqual(
      failed.sort((a, b) => a.call - b.call),
      [
        { call: 98, code: "input", fatal: false },
        { call: 99, code: "input", fatal: false },
      ],
    );
  });

  test("dispose ends the worker and rejects its calls with the code disposed", async () => {
    const call = reranker.rerank({ query: "q", documents: severalBatches, onProgress: () => reranker.dispose() });
    const exited = new Promise((resolve) => started[0].worker.once("exit", resolve));
    await assert.rejects(call, { code: "disposed" });
    await exited;
  });
});

test("a Node process ends without dispose", () => {
  const started = Date.now();
  const { status, stderr } = runNode(fileURLToPath(new URL("../support/children/undisposed-child.js", import.meta.url)), process.cwd());
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.ok(Date.now() - started < 60_000);
});
