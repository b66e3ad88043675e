import assert from "node:assert/strict";
import { after, before, beforeEach, describe, mock, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "./support/assert.js";
import { runNode } from "./support/child.js";
import { checkpoint } from "./support/fixtures.js";
import { dist } from "./support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { WasmReranker, WasmScoring } = await import(new URL("wasm/ranklet.js", dist));
const { url } = checkpoint((labels) => labels === 1);

/** Enough work for several micro-batches. */
const many = Array.from({ length: 400 }, (_, at) => `document ${at} with a few words of its own, number ${at * 7919}`);

describe("an abort", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(url)));
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
    await assert.rejects(Reranker.load(url, { signal: AbortSignal.abort() }), { code: "aborted" });
    const controller = new AbortController();
    const loading = Reranker.load(url, { signal: controller.signal });
    controller.abort("no");
    await assert.rejects(loading, { code: "aborted", cause: "no" });
    const reading = new AbortController();
    await assert.rejects(Reranker.load(url, { signal: reading.signal, onProgress: () => reading.abort() }), { code: "aborted" });
  });
});

test("an abort that comes when the model is in memory frees it", async () => {
  const controller = new AbortController();
  const load = WasmReranker.load;
  mock.method(WasmReranker, "load", async (...args) => {
    const loaded = await load.apply(WasmReranker, args);
    controller.abort();
    return loaded;
  });
  const freed = mock.method(WasmReranker.prototype, "free");
  await assert.rejects(Reranker.load(url, { signal: controller.signal }), { code: "aborted" });
  assert.equal(freed.mock.callCount(), 1);
  mock.restoreAll();
});

describe("calls in flight together", () => {
  test("take turns and are all right", async () => {
    const reranker = await Reranker.load(url);
    const queries = ["one", "two words", "three more words"];
    const expected = [];
    for (const query of queries) expected.push((await reranker.rerank({ query, documents: many })).results);
    const turns = [];
    const together = await Promise.all(
      queries.map((query) => reranker.rerank({ query, documents: many, onProgress: () => turns.push(query) })),
    );
    assert.deepEqual(together.map(({ results }) => results), expected);
    const first = turns.slice(0, 3);
    assert.deepEqual([...first].sort(), [...queries].sort(), `the first three micro-batches are of three calls: ${first}`);
    reranker.dispose();
  });

  test("leave the thread free between micro-batches", async () => {
    const reranker = await Reranker.load(url);
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
    const reranker = await Reranker.load(url);
    reranker.dispose();
    reranker.dispose();
    await rejectsWith("disposed", /load the model again/, () => reranker.rerank({ query: "q", documents: ["a"] }));
    await rejectsWith("disposed", /disposed/, () => reranker.rank("q", []));
    await rejectsWith("disposed", /disposed/, () => reranker.score([["q", "a"]]));
    assert.equal(reranker.info.numLabels, 1);
  });

  test("rejects calls in flight", async () => {
    const reranker = await Reranker.load(url);
    const calls = [reranker.rerank({ query: "q", documents: many }), reranker.rank("q", many)];
    await nextTask();
    reranker.dispose();
    for (const result of await Promise.allSettled(calls)) assert.equal(result.reason?.code, "disposed");
  });

  test("answers to Symbol.dispose and Symbol.asyncDispose", async () => {
    for (const symbol of [Symbol.dispose, Symbol.asyncDispose]) {
      const reranker = await Reranker.load(url);
      await reranker[symbol]();
      await assert.rejects(reranker.score([["q", "a"]]), { code: "disposed" });
    }
  });

  test("waits with freeing until no micro-batch is under way, and frees once", async () => {
    const reranker = await Reranker.load(url);
    const freed = mock.method(WasmReranker.prototype, "free");
    let finish;
    mock.method(WasmScoring.prototype, "step", () => new Promise((resolve) => (finish = resolve)), { times: 1 });
    const call = reranker.rerank({ query: "q", documents: many });
    while (finish === undefined) await nextTask();
    reranker.dispose();
    assert.equal(freed.mock.callCount(), 0);
    finish(new Float32Array(1));
    await assert.rejects(call, { code: "disposed" });
    reranker.dispose();
    assert.equal(freed.mock.callCount(), 1);
    mock.restoreAll();
  });

  test("gives the memory back", async () => {
    const { default: init } = await import(new URL("wasm/ranklet.js", dist));
    const { memory } = await init();
    for (let at = 0; at < 5; at++) (await Reranker.load(url)).dispose();
    const before = memory.buffer.byteLength;
    for (let at = 0; at < 50; at++) {
      const reranker = await Reranker.load(url);
      await reranker.score([["q", "a"]]);
      reranker.dispose();
    }
    assert.equal(memory.buffer.byteLength, before);
  });
});

describe("a trap in the engine", () => {
  beforeEach(() => mock.restoreAll());
  after(() => mock.restoreAll());

  test("is internal, for this call and all later ones, and says to load again", async () => {
    const [broken, sound] = [await Reranker.load(url), await Reranker.load(url)];
    const trap = new WebAssembly.RuntimeError("unreachable");
    mock.method(WasmScoring.prototype, "step", () => { throw trap; }, { times: 1 });
    await assert.rejects(broken.rerank({ query: "q", documents: many }), (error) => error.code === "internal" && error.cause === trap);
    await rejectsWith("internal", /unreachable.*load the model again/, () => broken.score([["q", "a"]]));
    assert.equal((await sound.score([["q", "a"]])).length, 1);
    broken.dispose();
    await rejectsWith("disposed", /disposed/, () => broken.score([["q", "a"]]));
    sound.dispose();
  });

  test("keeps its own code when the engine gives one, and breaks nothing", async () => {
    const reranker = await Reranker.load(url);
    const error = Object.assign(new Error("full"), { code: "out-of-memory" });
    mock.method(WasmScoring.prototype, "step", () => Promise.reject(error), { times: 1 });
    await rejectsWith("out-of-memory", /^full$/, () => reranker.score([["q", "a"]]));
    assert.equal((await reranker.score([["q", "a"]])).length, 1);
    reranker.dispose();
  });

  test("never leaves a call open or the process without an owner for the error", () => {
    const { status, stdout, stderr } = runNode(fileURLToPath(new URL("support/trap-child.js", import.meta.url)), process.cwd());
    assert.equal(stderr, "");
    assert.equal(status, 0);
    const settled = stdout.trimEnd().split("\n");
    assert.equal(settled.length, 3);
    assert.equal(settled.at(-1), "internal");
  });
});
