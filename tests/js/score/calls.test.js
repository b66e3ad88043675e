import assert from "node:assert/strict";
import { after, before, describe, mock, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { runNode } from "../support/children/processes.js";
import { severalBatches } from "../support/models/documents.js";
import { checkpoint } from "../support/models/fixtures.js";
import { glue, Reranker as RerankerOfModules } from "../support/package/modules.js";
import { dist } from "../support/paths.js";
import { assertTurns } from "../support/turns.js";

const { Reranker, RankletError } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);

for (const workers of [0, 1, 2]) {
  const load = (options) => Reranker.load(url, { workers, ...options });

  describe(`with workers: ${workers}`, () => {
    describe("aborting", () => {
      let reranker;
      before(async () => (reranker = await load()));
      after(() => reranker.dispose());

      const calls = {
        rerank: (signal) => reranker.rerank({ query: "q", documents: severalBatches, signal }),
        rank: (signal) => reranker.rank("q", severalBatches, { signal }),
        score: (signal) =>
          reranker.score(
            severalBatches.map((document) => ["q", document]),
            { signal },
          ),
      };
      for (const [name, call] of Object.entries(calls)) {
        test(`${name} with an aborted signal rejects with its reason as the cause`, async () => {
          await assert.rejects(call(AbortSignal.abort("changed my mind")), { code: "aborted", cause: "changed my mind" });
        });

        test(`${name} rejects with the code aborted even if the reason is an error of another call`, async () => {
          const reason = new RankletError("network", "of another call");
          await assert.rejects(call(AbortSignal.abort(reason)), { code: "aborted", cause: reason });
        });

        test(`an abort from an event ends ${name} between micro-batches`, async () => {
          const controller = new AbortController();
          let done = false;
          const ended = assert.rejects(call(controller.signal), { code: "aborted", cause: "enough" }).then(() => (done = true));
          await nextTask();
          assert.equal(done, false);
          controller.abort("enough");
          await ended;
        });
      }

      test("an abort ends one call and does not affect the others", async () => {
        const controller = new AbortController();
        const expected = await calls.score();
        const aborted = calls.score(controller.signal);
        const other = calls.score();
        setImmediate(() => controller.abort());
        await assert.rejects(aborted, { code: "aborted" });
        assert.deepEqual(await other, expected);
      });

      test("an abort rejects a load", async () => {
        await assert.rejects(load({ signal: AbortSignal.abort() }), { code: "aborted" });
        const controller = new AbortController();
        const loading = load({ signal: controller.signal });
        controller.abort("no");
        await assert.rejects(loading, { code: "aborted", cause: "no" });
        const reading = new AbortController();
        await assert.rejects(load({ signal: reading.signal, onProgress: () => reading.abort() }), { code: "aborted" });
      });
    });

    describe("concurrent calls", () => {
      test("concurrent calls take turns and give the right results", async () => {
        const reranker = await load();
        const queries = ["one", "two words", "three more words"];
        const expected = [];
        for (const query of queries) expected.push((await reranker.rerank({ query, documents: severalBatches })).results);
        const turns = [];
        const together = await Promise.all(
          queries.map((query) => reranker.rerank({ query, documents: severalBatches, onProgress: () => turns.push(query) })),
        );
        assert.deepEqual(
          together.map(({ results }) => results),
          expected,
        );
        assertTurns(turns);
        reranker.dispose();
      });

      test("a call lets other tasks of the thread run between micro-batches", async () => {
        const reranker = await load();
        let ticks = 0;
        let batches = 0;
        const timer = setInterval(() => ticks++, 0);
        await reranker.rerank({
          query: "q",
          documents: severalBatches.concat(severalBatches, severalBatches, severalBatches),
          onProgress: () => batches++,
        });
        clearInterval(timer);
        assert.ok(batches > 2 && ticks > 0, `${batches} micro-batches, ${ticks} ticks`);
        reranker.dispose();
      });
    });

    describe("dispose", () => {
      test("after dispose, which may be repeated, calls are rejected", async () => {
        const reranker = await load();
        reranker.dispose();
        reranker.dispose();
        await rejectsWith("disposed", /load the model again/, () => reranker.rerank({ query: "q", documents: ["a"] }));
        await rejectsWith("disposed", /disposed/, () => reranker.rank("q", []));
        await rejectsWith("disposed", /disposed/, () => reranker.score([["q", "a"]]));
        assert.equal(reranker.info.numLabels, 1);
      });

      test("dispose rejects the calls that are running", async () => {
        const reranker = await load();
        const calls = [reranker.rerank({ query: "q", documents: severalBatches }), reranker.rank("q", severalBatches)];
        await nextTask();
        reranker.dispose();
        for (const result of await Promise.allSettled(calls)) assert.equal(result.reason?.code, "disposed");
      });

      test("a reranker has Symbol.dispose and Symbol.asyncDispose", async () => {
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
  const { default: init, WasmLoader, WasmReranker, WasmScoring } = glue;
  const load = (options) => RerankerOfModules.load(url, { workers: 0, ...options });
  /** The memory of this thread's engine, after a load has started it. */
  const memory = async () => (await init()).memory;

  test("an abort at the end of loading frees the model", async () => {
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

  test("a disposed model is freed once, after its calls have ended", async () => {
    const reranker = await load();
    const freed = mock.method(WasmReranker.prototype, "free");
    const call = reranker.rerank({ query: "q", documents: severalBatches, onProgress: () => reranker.dispose() });
    await assert.rejects(call, { code: "disposed" });
    reranker.dispose();
    assert.equal(freed.mock.callCount(), 1);
    mock.restoreAll();
  });

  test("memory of disposed models is used again", async () => {
    for (let at = 0; at < 5; at++) (await load()).dispose();
    const { buffer } = await memory();
    const before = buffer.byteLength;
    for (let at = 0; at < 50; at++) {
      const reranker = await load();
      await reranker.score([["q", "a"]]);
      const collection = await reranker.prepare(severalBatches);
      if (at % 2 === 0) collection.dispose();
      reranker.dispose();
    }
    assert.equal((await memory()).buffer.byteLength, before);
  });

  test("memory does not grow with the number of streamed documents", async () => {
    const reranker = await load();
    const take = async (count) => {
      for await (const { done } of reranker.stream({ query: "q", documents: endless() })) if (done >= count) break;
      return (await memory()).buffer.byteLength;
    };
    const few = await take(1000);
    assert.equal(await take(20_000), few);
    reranker.dispose();
  });

  test("after an error of the engine, the next call works", async () => {
    const reranker = await load();
    const error = Object.assign(new Error("full"), { code: "out-of-memory" });
    mock.method(
      WasmScoring.prototype,
      "step",
      () => {
        throw error;
      },
      { times: 1 },
    );
    await rejectsWith("out-of-memory", /^full$/, () => reranker.score([["q", "a"]]));
    assert.equal((await reranker.score([["q", "a"]])).length, 1);
    reranker.dispose();
    mock.restoreAll();
  });

  test("after a trap, all calls reject with the code internal", () => {
    const { status, stdout, stderr } = runNode(fileURLToPath(new URL("../support/children/trap-child.js", import.meta.url)), process.cwd());
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.deepEqual(stdout.trimEnd().split("\n"), ["internal", "internal", "internal", "internal"]);
  });
});

function* endless() {
  for (let at = 0; ; at++) yield `document ${at} with a few words of its own`;
}
