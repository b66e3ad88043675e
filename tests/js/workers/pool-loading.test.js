// The number of workers that a pool starts, and the workers for which loading waits.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import {
  deferred,
  failing,
  failingLate,
  loadPool,
  manyDocuments,
  modelFiles,
  query,
  requestsOf,
  silent,
  trapping,
  whenEnded,
} from "../support/pool.js";
import { until } from "../support/until.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { loadModel } = await import(new URL("load/load.js", dist));
const { node } = await import(new URL("platform/node.js", dist));
const { url } = checkpoint((labels) => labels === 1);

describe("loading a pool", () => {
  test("loading with a number of workers waits for all of them", async () => {
    const { reranker, started } = await loadPool(3);
    await Promise.all(["one", "two", "three"].map((document) => reranker.score([[query, document]])));
    assert.deepEqual(
      started.map((worker) => requestsOf(worker, "score").length),
      [1, 1, 1],
    );
    reranker.dispose();
  });

  for (const [when, program] of [
    ["at once", failing],
    ["when the others are ready", failingLate],
  ]) {
    test(`loading with a number of workers fails if one of them fails ${when}, and all workers end`, async () => {
      const started = [];
      const loading = () => loadPool(3, { program: (at) => (at === 1 ? program : trapping), started });
      await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, loading);
      assert.equal(started.length, 3);
      await whenEnded(started);
    });
  }

  for (const [isLocal, workers] of [
    [true, 1],
    [false, 3],
  ]) {
    test(`loading with automatic workers whose program is ${isLocal ? "local" : "downloaded"} fails if the first one fails, and all workers end`, async () => {
      const started = [];
      const files = modelFiles().set("config.json", new Blob(["{"]));
      await rejectsWith("config", /config\.json/, () => loadPool(3, { all: false, files, started, isLocal }));
      assert.equal(started.length, workers);
      await whenEnded(started);
    });
  }

  test("loading with automatic workers waits for the first one only, later ones join, and a failed one is left out", async () => {
    const { reranker, started } = await loadPool(4, { all: false, program: (at) => [trapping, failing, silent, trapping][at] });
    const expected = (await reranker.rerank({ query, documents: manyDocuments })).results;
    assert.equal(started.length, 4);
    const stop = new AbortController();
    const calls = (async () => {
      while (!stop.signal.aborted) assert.deepEqual((await reranker.rerank({ query, documents: manyDocuments })).results, expected);
    })();
    await until(() => requestsOf(started[3], "score").length > 0, 60_000);
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

describe("what the first worker gets", () => {
  /** A platform whose workers note what is posted to them, and whether they have ended. */
  const noting = (platform) => {
    const started = [];
    const startWorker = () => {
      const port = node.startWorker();
      const worker = { posted: [], ended: false };
      started.push(worker);
      return {
        ...port,
        post: (request, transfer) => {
          worker.posted.push({ request, transfer });
          port.post(request, transfer);
        },
        terminate: () => {
          worker.ended = true;
          return port.terminate();
        },
      };
    };
    return { started, platform: { ...node, startWorker, ...platform } };
  };
  const isWeights = (url) => url.href.endsWith("model.safetensors");

  test("it starts while the files are read, and ends if one of them cannot be read", async () => {
    const { promise, resolve } = deferred();
    const gate = { readFile: async (url, signal) => (isWeights(url) ? promise : node.readFile(url, signal)) };
    const { started, platform } = noting(gate);
    const loading = loadModel(platform, url, { workers: 1 });
    assert.equal(started.length, 1);
    resolve(await node.readFile(new URL("model.safetensors", url)));
    (await loading).scorer.dispose();
    assert.equal(started.length, 1);

    const broken = noting({ readFile: () => Promise.reject(new Error("a broken disk")) });
    await rejectsWith("config", /a broken disk/, () => loadModel(broken.platform, url, { workers: 1 }));
    assert.deepEqual(
      broken.started.map(({ ended }) => ended),
      [true],
    );
  });

  test("its end before the files are there fails the load", async () => {
    const startWorker = () => ({ post() {}, listen: (_, onEnd) => onEnd("its program does not exist"), keepAlive() {}, terminate() {} });
    await rejectsWith("internal", /its program does not exist/, () => loadModel({ ...node, startWorker }, url, { workers: 1 }));
  });

  test("files on disk are read into memory that it shares, and downloaded ones move to it", async () => {
    const onDisk = noting({});
    (await loadModel(onDisk.platform, url, { workers: 2 })).scorer.dispose();
    const [first, second] = onDisk.started.map(({ posted }) => posted[0].request.files.get("model.safetensors"));
    assert.ok(first instanceof SharedArrayBuffer);
    assert.equal(first, second);

    const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
    const files = Object.fromEntries(names.map((name) => [name, new URL(`https://files.example/${name}`)]));
    const fetch = async (address) => {
      const content = readFileSync(new URL(new URL(address).pathname.slice(1), url));
      return new Response(content, { headers: { "content-length": `${content.length}` } });
    };
    const downloaded = noting({});
    (await loadModel(downloaded.platform, files, { workers: 1, fetch })).scorer.dispose();
    const [{ request, transfer }] = downloaded.started[0].posted;
    const weights = request.files.get("model.safetensors");
    assert.ok(weights instanceof ArrayBuffer && transfer.includes(weights));
    assert.equal(weights.byteLength, 0, "it was moved");
  });
});

describe("the number of workers", () => {
  const load = async (platform, options) => {
    let started = 0;
    const startWorker = () => {
      started++;
      return node.startWorker();
    };
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
