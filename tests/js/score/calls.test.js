import assert from "node:assert/strict";
import { after, before, describe, mock, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { runNode } from "../support/children/processes.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker, RankletError } = await import(new URL("index.node.js", dist));
const { default: init, WasmLoader, WasmReranker, WasmScoring } = await import(new URL("wasm/ranklet.js", dist));
const { url } = checkpoint((labels) => labels === 1);

/** Enough work for several micro-batches. */
const many = Array.from({ length: 400 }, (_, at) => `document ${at} with a few words of its own, number ${at * 7919}`);

for (const workers of [0, 1, 2]) {
  const load = (options) => Reranker.load(url, { workers, ...options });

  describe(`with workers: ${workers}`, () => {
    describe("an abort", () => {
      let reranker;
      before(async () => (reranker = await load()));
      after(() => reranker.dispose());

      const calls = {
        rerank: (signal) => reranker.rerank({ query: "q", documents: many, signal }),
        rank: (signal) => reranker.rank("q", many, { signal }),
        score: (signal) => reranker.score(many.map((document) => ["q", document]), { signal }),
      };
      for (const [name, call] of Object.entries(calls)) {
        test(`before ${name} starts rejects it`, async () => {
          await assert.rejects(call(AbortSignal.abort("changed my mind")), { code: "aborted", cause: "changed my mind" });
        });

        test(`with another call's error as its reason is still aborted: ${name}`, async () => {
          const reason = new RankletError("network", "of another call");
          await assert.rejects(call(AbortSignal.abort(reason)), { code: "aborted", cause: reason });
        });

        test(`from an event while ${name} runs is heard between micro-batches`, async () => {
          const controller = new AbortController();
          let done = false;
          const ended = assert.rejects(call(controller.signal), { code: "aborted", cause: "enough" }).then(() => (done = true));
          await nextTask();
          assert.equal(done, false);
          controller.abort("enough");
          await ended;
        });
      }

      test("ends one call and leaves the others right", async () => {
        const controller = new AbortController();
        const expected = await calls.score();
        const doomed = calls.score(controller.signal);
        const kept = calls.score();
        setImmediate(() => controller.abort());
        await assert.rejects(doomed, { code: "aborted" });
        assert.deepEqual(await kept, expected);
      });

      test("while a model loads rejects the load", async () => {
        await assert.rejects(load({ signal: AbortSignal.abort() }), { code: "aborted" });
        const controller = new AbortController();
        const loading = load({ signal: controller.signal });
        controller.abort("no");
        await assert.rejects(loading, { code: "aborted", cause: "no" });
        const reading = new AbortController();
        await assert.rejects(load({ signal: reading.signal, onProgress: () => reading.abort() }), { code: "aborted" });
      });
    });

    describe("calls in flight together", () => {
      test("take turns and are all right", async () => {
        const reranker = await load();
        const queries = ["one", "two words", "three more words"];
        const expected = [];
        for (const query of queries) expected.push((await reranker.rerank({ query, documents: many })).results);
        const turns = [];
        const together = await Promise.all(
          queries.map((query) => reranker.rerank({ query, documents: many, onProgress: () => turns.push(query) })),
        );
        assert.deepEqual(together.map(({ results }) => results), expected);
        // A call may arrive in a worker when another has begun its second micro-batch, not later.
        // With several workers, one has scored six of so many.
        const early = turns.slice(0, 6 * Math.max(1, workers));
        assert.deepEqual([...new Set(early)].sort(), [...queries].sort(), `the first micro-batches are of three calls: ${early}`);
        reranker.dispose();
      });

      test("leave the thread free between micro-batches", async () => {
        const reranker = await load();
        let ticks = 0;
        let batches = 0;
        const timer = setInterval(() => ticks++, 0);
        await reranker.rerank({ query: "q", documents: many.concat(many, many, many), onProgress: () => batches++ });
        clearInterval(timer);
        assert.ok(batches > 2 && ticks > 0, `${batches} micro-batches, ${ticks} ticks`);
        reranker.dispose();
      });
    });

    describe("dispose", () => {
      test("rejects later calls and may be repeated", async () => {
        const reranker = await load();
        reranker.dispose();
        reranker.dispose();
        await rejectsWith("disposed", /load the model again/, () => reranker.rerank({ query: "q", documents: ["a"] }));
        await rejectsWith("disposed", /disposed/, () => reranker.rank("q", []));
        await rejectsWith("disposed", /disposed/, () => reranker.score([["q", "a"]]));
        assert.equal(reranker.info.numLabels, 1);
      });

      test("rejects calls in flight", async () => {
        const reranker = await load();
        const calls = [reranker.rerank({ query: "q", documents: many }), reranker.rank("q", many)];
        await nextTask();
        reranker.dispose();
        for (const result of await Promise.allSettled(calls)) assert.equal(result.reason?.code, "disposed");
      });

      test("answers to Symbol.dispose and Symbol.asyncDispose", async () => {
        for (const symbol of [Symbol.dispose, Symbol.asyncDispose]) {
          const reranker = await load();
          await reranker[symbol]();
          await assert.rejects(reranker.score([["q", "a"]]), { code: "disposed" });
        }
      });
    });
  });
}

describe("on the calling thread", () => {
  const load = (options) => Reranker.load(url, { workers: 0, ...options });
  /** The memory of this thread's engine, which a load has started. */
  const memory = async () => (await init()).memory;

  test("an abort that comes when the model is in memory frees it", async () => {
    const controller = new AbortController();
    const { finish } = WasmLoader.prototype;
    mock.method(WasmLoader.prototype, "finish", function () {
      controller.abort();
      return finish.call(this);
    });
    const freed = mock.method(WasmReranker.prototype, "free");
    await assert.rejects(load({ signal: controller.signal }), { code: "aborted" });
    assert.equal(freed.mock.callCount(), 1);
    mock.restoreAll();
  });

  test("freeing waits until no call is under way, and happens once", async () => {
    const reranker = await load();
    const freed = mock.method(WasmReranker.prototype, "free");
    const call = reranker.rerank({ query: "q", documents: many, onProgress: () => reranker.dispose() });
    await assert.rejects(call, { code: "disposed" });
    reranker.dispose();
    assert.equal(freed.mock.callCount(), 1);
    mock.restoreAll();
  });

  test("dispose gives the memory back", async () => {
    for (let at = 0; at < 5; at++) (await load()).dispose();
    const { buffer } = await memory();
    const before = buffer.byteLength;
    for (let at = 0; at < 50; at++) {
      const reranker = await load();
      await reranker.score([["q", "a"]]);
      const collection = await reranker.prepare(many);
      if (at % 2 === 0) collection.dispose();
      reranker.dispose();
    }
    assert.equal((await memory()).buffer.byteLength, before);
  });

  test("memory does not grow with the number of documents", async () => {
    const reranker = await load();
    const take = async (count) => {
      for await (const { done } of reranker.stream({ query: "q", documents: endless() })) if (done >= count) break;
      return (await memory()).buffer.byteLength;
    };
    const few = await take(1000);
    assert.equal(await take(20_000), few);
    reranker.dispose();
  });

  test("an engine's own error breaks nothing", async () => {
    const reranker = await load();
    const error = Object.assign(new Error("full"), { code: "out-of-memory" });
    mock.method(WasmScoring.prototype, "step", () => { throw error; }, { times: 1 });
    await rejectsWith("out-of-memory", /^full$/, () => reranker.score([["q", "a"]]));
    assert.equal((await reranker.score([["q", "a"]])).length, 1);
    reranker.dispose();
    mock.restoreAll();
  });

  test("a trap settles every call, then and later, with internal", () => {
    const { status, stdout, stderr } = runNode(fileURLToPath(new URL("../support/children/trap-child.js", import.meta.url)), process.cwd());
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.deepEqual(stdout.trimEnd().split("\n"), ["internal", "internal", "internal", "internal"]);
  });
});

function* endless() {
  for (let at = 0; ; at++) yield `document ${at} with a few words of its own`;
}
