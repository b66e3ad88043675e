// Reranker.shared: equal models and options share an engine.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import * as modules from "../support/package/modules.js";
import { dist } from "../support/paths.js";
import { deferred } from "../support/pool.js";
import { filesIn, startHub } from "../support/servers/hub.js";
import { until } from "../support/until.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { loadShared } = await import(new URL("shared/load-shared.js", dist));
const { node } = await import(new URL("platform/node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const one = { workers: 1 };

/** The workers that were started since the last test. */
let started = [];
process.on("worker", (worker) => started.push(worker));
const alive = () => started.filter(({ threadId }) => threadId !== -1).length;
/** Waits until so many workers are alive. */
const whenAlive = (count) => until(() => alive() === count);
afterEach(async () => {
  await whenAlive(0);
  started = [];
});

test("equal models and options share one engine, which ends with the last reranker", async () => {
  const files = Object.fromEntries(readdirSync(url).map((name) => [name, readFileSync(new URL(name, url))]));
  for (const sources of [
    [undefined, undefined],
    [url, url.href],
    [files, { ...files }],
  ]) {
    const [first, second] = await Promise.all(sources.map((source) => Reranker.shared(source, { ...one })));
    assert.notEqual(first, second);
    assert.equal(alive(), 1);
    assert.equal(first.info.backend.shared, "page");
    assert.deepEqual(await first.rank("q", ["a", "b"]), await second.rank("q", ["a", "b"]));
    const third = await Reranker.shared(sources[0], one);
    first.dispose();
    first.dispose();
    await assert.rejects(first.rank("q", ["a"]), { code: "disposed" });
    assert.equal((await second.rank("q", ["a"])).length, 1);
    second.dispose();
    assert.equal((await third.rank("q", ["a"])).length, 1);
    assert.equal(alive(), 1);
    third.dispose();
    await whenAlive(0);
  }
});

test("rerankers of one Hub id share an engine, and each file is downloaded once", async (t) => {
  const hub = await startHub();
  t.after(() => hub.stop());
  hub.publish("some-org/a.model", filesIn(url));
  const load = () => Reranker.shared("some-org/a.model", { baseUrl: hub.url, cache: false, ...one });
  const [first, second] = await Promise.all([load(), load()]);
  assert.equal(alive(), 1);
  assert.equal(hub.requests.filter(({ origin, path }) => origin === "hub" && path.endsWith("/model.safetensors")).length, 1);
  for (const reranker of [first, second]) reranker.dispose();
});

test("other options, and plain load, have engines of their own", async () => {
  const options = [one, { ...one, maxLength: 16 }, { ...one, dtype: "f32" }];
  const rerankers = await Promise.all(options.map((given) => Reranker.shared(url, given)));
  rerankers.push(await Reranker.load(url, one));
  assert.equal(alive(), 4);
  assert.equal(rerankers[1].info.maxLength, 16);
  assert.equal(rerankers[3].info.backend.shared, undefined);
  for (const reranker of rerankers) reranker.dispose();
});

test("each reranker has its own collections and running calls", async () => {
  const [first, second] = [await Reranker.shared(url, one), await Reranker.shared(url, one)];
  const [numbers, letters] = [await first.prepare(["one", "two"]), await second.prepare(["a", "b", "c"])];
  assert.equal((await lastOf(numbers.rank("q"))).total, 2);
  assert.equal((await lastOf(letters.rank("q"))).total, 3);
  // One window, so that only a job that is running can end the call.
  const documents = Array.from({ length: 200 }, (_, at) => `document ${at}`);
  const calls = [first, second].map((reranker) => reranker.rerank({ query: "q", documents }));
  first.dispose();
  await assert.rejects(calls[0], { code: "disposed" });
  await assert.rejects(lastOf(numbers.rank("q")), { code: "disposed" });
  assert.equal((await calls[1]).results.length, 200);
  assert.equal((await lastOf(letters.rank("q"))).total, 3);
  second.dispose();
});

test("a reranker that is disposed while it prepares documents leaves none in the engine", async (t) => {
  const open = new Set();
  const { prototype } = modules.glue.WasmReranker;
  const create = prototype.collection;
  t.mock.method(prototype, "collection", function () {
    const collection = create.call(this);
    open.add(collection);
    t.mock.method(collection, "free", () => open.delete(collection));
    return collection;
  });
  const here = { workers: 0 };
  const [first, second] = [await modules.Reranker.shared(url, here), await modules.Reranker.shared(url, here)];
  const collection = await second.prepare(["a"]);
  const preparing = first.prepare(["a", "b"]);
  first.dispose();
  await assert.rejects(preparing, { code: "disposed" });
  assert.equal(open.size, 1);
  assert.equal((await lastOf(collection.rank("q"))).total, 1);
  second.dispose();
});

test("an abort ends one call, and loading only if no other waits for it", async () => {
  const controllers = [new AbortController(), new AbortController()];
  const [first, second] = controllers.map(({ signal }) => Reranker.shared(url, { ...one, signal }));
  controllers[0].abort("enough");
  await assert.rejects(first, { code: "aborted", cause: "enough" });
  const reranker = await second;
  controllers[1].abort();
  assert.equal((await reranker.rank("q", ["a"])).length, 1);
  reranker.dispose();
  await whenAlive(0);
  const alone = new AbortController();
  const loading = Reranker.shared(url, { ...one, signal: alone.signal });
  alone.abort();
  await assert.rejects(loading, { code: "aborted" });
});

test("every caller gets the progress, and an error of a listener rejects its call only", async () => {
  const seen = [];
  const thrown = new Error("mine");
  const failing = () => {
    throw thrown;
  };
  const calls = [(progress) => seen.push(progress), failing, undefined].map((onProgress) => Reranker.shared(url, { ...one, onProgress }));
  await assert.rejects(calls[1], (error) => error === thrown);
  const rerankers = [await calls[0], await calls[2]];
  assert.ok(seen.length > 2 && seen.at(-1).overall.loaded > 0);
  for (const reranker of rerankers) reranker.dispose();
});

test("a failure is that of all who wait, and the next call loads again", async () => {
  const files = { "config.json": new Blob(["{"]) };
  const calls = [Reranker.shared(files), Reranker.shared(files)];
  for (const { reason } of await Promise.allSettled(calls)) assert.equal(reason.code, "tokenizer");
  await assert.rejects(Reranker.shared("./missing"), { code: "config" });
  const reranker = await Reranker.shared(url, one);
  reranker.dispose();
});

test("a crashed engine is loaded again, with the collections of all its users", async () => {
  const rerankers = [await Reranker.shared(url, one), await Reranker.shared(url, one)];
  const collections = await Promise.all(rerankers.map((reranker, at) => reranker.prepare([`document ${at}`, "b"])));
  const before = await Promise.all(collections.map(async (collection) => (await lastOf(collection.rank("q"))).results));
  await started[0].terminate();
  const after = await Promise.all(collections.map(async (collection) => (await lastOf(collection.rank("q"))).results));
  assert.deepEqual(after, before);
  assert.equal(alive(), 1);
  for (const reranker of rerankers) reranker.dispose();
});

test("an engine of all tabs does not keep the listener of the call that loaded it", async () => {
  setFlagsFromString("--expose-gc");
  const reranker = await Reranker.load(url, { workers: 0 });
  const { info } = reranker;
  reranker.dispose();
  const calls = { post: () => {}, listen: () => {}, keepAlive: () => {}, terminate: () => {} };
  const openTabLink = async () => ({ calls, join: async () => info });
  const load = async () => {
    const onProgress = () => {};
    return { loaded: await loadShared({ ...node, openTabLink }, url, { onProgress }), listener: new WeakRef(onProgress) };
  };
  const { loaded, listener } = await load();
  await until(async () => {
    runInNewContext("gc")();
    await sleep(30);
    return listener.deref() === undefined;
  });
  loaded.scorer.dispose();
});

test("a forgotten reranker is freed with its worker, unless a call or a collection is in use", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = async () => {
    for (let round = 0; round < 3; round++) {
      runInNewContext("gc")();
      await sleep(30);
    }
  };
  const whenFreed = () =>
    until(async () => {
      await collectGarbage();
      return alive() === 0;
    });
  for (const load of ["load", "shared"]) {
    let collection = await (async () => (await Reranker[load](url, one)).prepare(["a", "b"]))();
    await collectGarbage();
    assert.equal((await lastOf(collection.rank("q"))).total, 2);
    collection = undefined;
    await whenFreed();
    const { promise, resolve } = deferred();
    const call = (async () =>
      (await Reranker[load](url, one)).rerank({
        query: "q",
        documents: Array.from({ length: 2000 }, () => "a b c"),
        onProgress: resolve,
      }))();
    await promise;
    await collectGarbage();
    assert.equal((await call).results.length, 2000);
    await whenFreed();
  }
});
