// The number of workers that a pool starts, and the workers for which loading waits.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { deferred, failing, failingLate, loadPool, manyDocuments, modelFiles, query, requestsOf, silent, trapping, whenEnded } from "../support/pool.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { loadModel } = await import(new URL("load/load.js", dist));
const { node } = await import(new URL("platform/node.js", dist));
const { url } = checkpoint((labels) => labels === 1);

describe("loading a pool", () => {
  test("loading with a number of workers waits for all of them", async () => {
    const { reranker, started } = await loadPool(3);
    await Promise.all(["one", "two", "three"].map((document) => reranker.score([[query, document]])));
    assert.deepEqual(started.map((worker) => requestsOf(worker, "score").length), [1, 1, 1]);
    reranker.dispose();
  });

  for (const [when, program] of [["at once", failing], ["when the others are ready", failingLate]]) {
    test(`loading with a number of workers fails if one of them fails ${when}, and all workers end`, async () => {
      const started = [];
      const loading = () => loadPool(3, { program: (at) => (at === 1 ? program : trapping), started });
      await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, loading);
      assert.equal(started.length, 3);
      await whenEnded(started);
    });
  }

  test("loading with automatic workers fails if the first one fails, and all workers end", async () => {
    const started = [];
    const files = modelFiles().set("config.json", new Blob(["{"]));
    await rejectsWith("config", /config\.json/, () => loadPool(3, { all: false, files, started }));
    assert.equal(started.length, 3);
    await whenEnded(started);
  });

  test("loading with automatic workers waits for the first one only, later ones join, and a failed one is left out", async () => {
    const { reranker, started } = await loadPool(4, { all: false, program: (at) => [trapping, failing, silent, trapping][at] });
    const { promise, resolve } = deferred();
    const joined = setInterval(() => requestsOf(started[3], "score").length > 0 && resolve(), 5);
    const expected = (await reranker.rerank({ query, documents: manyDocuments })).results;
    assert.equal(started.length, 4);
    const stop = new AbortController();
    const calls = (async () => {
      while (!stop.signal.aborted) assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
    })();
    await promise;
    clearInterval(joined);
    stop.abort();
    await calls;
    assert.equal(started.length, 4);
    reranker.dispose();
  });

  test("with automatic workers, a collection is distributed over all of them", async () => {
    const { reranker, started } = await loadPool(2, { all: false });
    await reranker.prepare(manyDocuments);
    for (const worker of started) assert.ok(requestsOf(worker, "prepare").length > 0);
    reranker.dispose();
  });
});

describe("the number of workers", () => {
  const load = async (platform, options) => {
    let started = 0;
    const startWorker = () => (started++, node.startWorker());
    const { scorer, info } = await loadModel({ ...node, startWorker, ...platform }, options === undefined ? url : undefined, options);
    scorer.dispose();
    return [info.backend.workers, started, info.backend.split, info.memoryBytes].slice(0, options === undefined ? 2 : 4);
  };

  test("automatic workers are one per processor, at most 4", async () => {
    assert.deepEqual(await load({ cpuCount: () => 1 }), [1, 1]);
    assert.deepEqual(await load({ cpuCount: () => 3 }), [3, 3]);
    assert.deepEqual(await load({ cpuCount: () => 16 }), [4, 4]);
  });

  test("automatic workers have as many copies as fit into a limit of memory, and split layers if only one fits", async () => {
    const two = { cpuCount: () => 2 };
    const [, , , one] = await load(two, { workers: 1 });
    const [, , , parts] = await load(two, { workers: 2, split: "layers" });
    const loaded = (maxMemoryBytes) => load(two, { maxMemoryBytes });
    assert.deepEqual(await loaded(2 * one), [2, 2, "copies", one]);
    assert.deepEqual(await loaded(2 * one - 1), [2, 2, "layers", parts]);
    assert.deepEqual(await loaded(parts), [2, 2, "layers", parts]);
    assert.deepEqual((await loaded(parts - 1)).slice(0, 1), [1]);
    assert.deepEqual((await load({ cpuCount: () => 1 }, { maxMemoryBytes: 3 * one })).slice(0, 1), [1]);
  });

  test("info has the number of workers", async () => {
    for (const workers of [0, 1, 2]) {
      const reranker = await Reranker.load(url, { workers });
      assert.equal(reranker.info.backend.workers, workers);
      reranker.dispose();
    }
    const reranker = await Reranker.load(url);
    assert.ok(reranker.info.backend.workers >= 1 && reranker.info.backend.workers <= 4);
    reranker.dispose();
  });
});
