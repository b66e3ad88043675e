// Workers that each hold some layers of a model give the same scores as one with all of it, also if workers end.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect, lastOf } from "../support/collect.js";
import { family } from "../support/models/fixtures.js";
import { dist, root } from "../support/paths.js";
import {
  deferred,
  failing,
  loadLayers,
  manyDocuments,
  modelFiles,
  query,
  requestsOf,
  silent,
  trapping,
  layeredUrl as url,
  whenEnded,
} from "../support/pool.js";
import { assertTurns } from "../support/turns.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { chooseSplit } = await import(new URL("engine/pipeline/split.js", dist));

describe("layers in several workers", () => {
  const candidates = Array.from({ length: 300 }, (_, at) => (at * 37) % 700);
  const documents = manyDocuments.slice(0, 300);
  const models = {
    bert: url,
    labels: family("modernbert-biases-labels2-h36").url,
    modernbert: family("modernbert-long-mean-h32").url,
    deberta: family("deberta-v3-h48").url,
  };

  async function answers(model, options) {
    const reranker = await Reranker.load(model, { device: "cpu", ...options });
    const { backend, numLabels } = reranker.info;
    const found = {
      scores: await reranker.score(
        manyDocuments.map((document, at) => [`${query} ${at % 3}`, document]),
        { scores: "raw" },
      ),
    };
    if (numLabels === 1) {
      const collection = await reranker.prepare(manyDocuments);
      const { results, usage, timings } = await reranker.rerank({ query, documents });
      assert.ok(timings.engineMs > 0);
      const streamed = (await collect(reranker.stream({ query, documents }))).flatMap((part) => part.results);
      const chunked = await reranker.rerank({
        query,
        documents: ["long ".repeat(700), ...documents.slice(0, 20)],
        longDocuments: "chunk",
        deadlineMs: 100_000,
      });
      Object.assign(found, {
        reranked: [results, usage],
        streamed: streamed.sort((a, b) => a.index - b.index),
        chunked: [chunked.results, chunked.usage, chunked.unscored],
        ranked: (await lastOf(collection.rank(query))).results,
        chosen: (await lastOf(collection.rank(query, { candidates, topN: 50 }))).results,
      });
    }
    reranker.dispose();
    return { found, backend };
  }

  for (const [name, model] of Object.entries(models)) {
    test(`scores of ${name} in layers have the same bits and the same order as on the calling thread`, async () => {
      for (const dtype of ["f32", "q8"]) {
        const expected = await answers(model, { dtype, workers: 0 });
        assert.equal(expected.backend.split, undefined);
        for (const workers of [2, 3]) {
          const { found, backend } = await answers(model, { dtype, workers, split: "layers" });
          assert.deepEqual(found, expected.found, `${dtype}, ${workers} workers`);
          assert.deepEqual([backend.split, backend.workers], ["layers", workers]);
        }
      }
    });
  }

  test("layers load without the cache", async () => {
    const reranker = await Reranker.load(url, { device: "cpu", cache: false, workers: 2, split: "layers" });
    assert.equal(reranker.info.backend.split, "layers");
    reranker.dispose();
  });

  test("with copies, info says so", async () => {
    const reranker = await Reranker.load(url, { device: "cpu", workers: 2 });
    assert.equal(reranker.info.backend.split, "copies");
    reranker.dispose();
  });
});

describe("a chain of workers", () => {
  let reranker;
  let started;
  let expected;
  const load = async (...args) => ({ reranker, started } = await loadLayers(...args));
  before(async () => {
    const other = await Reranker.load(url, { workers: 0 });
    expected = (await other.rerank({ query, documents: manyDocuments })).results;
    other.dispose();
  });
  afterEach(() => reranker?.dispose());
  const rerank = async (options) => (await reranker.rerank({ query, documents: manyDocuments, ...options })).results;

  test("only the first worker gets texts and collections, and the others get its micro-batches as transferred buffers", async () => {
    await load(3);
    const collection = await reranker.prepare(manyDocuments);
    assert.deepEqual(await rerank(), expected);
    assert.deepEqual((await lastOf(collection.rank(query))).results, expected);
    const [first, ...others] = started.map(({ requests }) => new Set(requests.map(({ type }) => type)));
    assert.deepEqual(first, new Set(["load", "verify", "prepare", "score", "logits"]));
    for (const other of others) assert.deepEqual(other, new Set(["load-stage", "run"]));
    const batches = requestsOf(started[1], "run");
    assert.ok(batches.length > 20, `${batches.length} micro-batches`);
    assert.equal(requestsOf(started[2], "run").length, batches.length);
    for (const { hiddenStates, offsets } of batches) assert.ok(hiddenStates.buffer.detached !== false && offsets.length > 1);
  });

  test("the progress of a call goes up to all of its documents", async () => {
    await load(2);
    const done = [];
    await rerank({ onProgress: (progress) => done.push(progress.done) });
    assert.ok(done.length > 20 && done.every((count, at) => count > (done[at - 1] ?? 0)), `${done}`);
    assert.equal(done.at(-1), 700);
  });

  test("concurrent calls give the right results and take turns", async () => {
    await load(2);
    const queries = ["one", "two words"];
    const alone = [];
    for (const text of queries) alone.push(await rerank({ query: text }));
    const turns = [];
    const calls = queries.map((text) => rerank({ query: text, onProgress: () => turns.push(text) }));
    assert.deepEqual(await Promise.all(calls), alone);
    assertTurns(turns);
  });

  test("an abort ends a call at once, its micro-batches are dropped, and the next call works", async () => {
    await load(3);
    const controller = new AbortController();
    const { promise, resolve } = deferred();
    const call = rerank({ signal: controller.signal, onProgress: resolve });
    await promise;
    controller.abort("enough");
    await assert.rejects(call, { code: "aborted", cause: "enough" });
    const ran = requestsOf(started[2], "run").length;
    assert.deepEqual(await rerank(), expected);
    assert.ok(requestsOf(started[2], "run").length > ran);
  });

  for (const lost of [[0], [1], [2], [1, 2], [0, 1, 2]]) {
    test(`a call gives all scores if workers end during it (${lost})`, async () => {
      await load(3);
      let first = true;
      const end = () => {
        if (first) for (const at of lost) void started[at].worker.terminate();
        first = false;
      };
      assert.deepEqual(await rerank({ onProgress: end }), expected);
      assert.deepEqual(await rerank(), expected);
      const replaced = new Set([0, ...lost]).size;
      assert.equal(started.length, 3 + replaced, "the first worker and the lost ones are replaced");
    });
  }

  test("a ranking of a collection survives the loss of a worker", async () => {
    await load(2);
    const collection = await reranker.prepare(manyDocuments);
    const ranking = collection.rank(query);
    await ranking.next();
    void started[1].worker.terminate();
    assert.deepEqual((await lastOf(ranking)).results, expected);
  });

  for (const [document, message] of [
    ["trap", /failed \(unreachable\)/],
    ["exit", /the worker ended/],
  ]) {
    test(`a call is rejected if its document ends the first worker twice (${document}), and the next call works`, async () => {
      await load(2);
      await rejectsWith("internal", message, () => reranker.rerank({ query, documents: [document] }));
      assert.deepEqual(await rerank(), expected);
    });
  }

  test("if a worker cannot be replaced, the call rejects with the reason, and the next call tries again", async () => {
    let program = trapping;
    await load(2, { program: () => program });
    program = failing;
    await started[1].worker.terminate();
    await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, () => rerank());
    program = trapping;
    assert.deepEqual(await rerank(), expected);
  });

  test("dispose ends running calls and all workers", async () => {
    await load(3);
    const call = rerank({ onProgress: () => reranker.dispose() });
    await assert.rejects(call, { code: "disposed" });
    await whenEnded(started);
  });

  for (const failed of [0, 1, 2]) {
    test(`loading rejects if worker ${failed} of 3 fails, and all workers end`, async () => {
      const all = [];
      const loading = () => loadLayers(3, { program: (at) => (at === failed ? failing : trapping), started: all });
      await rejectsWith("internal", /the worker ended \(it exited with code 7\)/, loading);
      await whenEnded(all);
    });
  }

  test("loading rejects with the error of the files, and all workers end", async () => {
    const all = [];
    await rejectsWith("config", /config\.json/, () =>
      loadLayers(3, { files: modelFiles(url).set("config.json", new Blob(["{"])), started: all }),
    );
    const weights = Buffer.from(readFileSync(new URL("model.safetensors", url)));
    weights.writeFloatLE(Number.NaN, weights.length - 4);
    await rejectsWith("weights", /not finite/, () =>
      loadLayers(3, { files: modelFiles(url).set("model.safetensors", new Blob([weights])), started: all }),
    );
    await whenEnded(all);
  });

  test("an abort ends loading while another worker does not answer", async () => {
    const all = [];
    const files = modelFiles(url);
    const loading = loadLayers(2, {
      program: (at) => (at === 1 ? silent : trapping),
      files,
      started: all,
      signal: AbortSignal.timeout(1000),
    });
    await assert.rejects(loading, { code: "aborted" });
    await whenEnded(all);
  });

  test("the pairs of a weights file verify all layers together", async () => {
    const folder = new URL("models/default/", root);
    await load(3, { files: modelFiles(folder) });
    assert.ok(requestsOf(started[2], "run").length > 0);
    reranker.dispose();
    const weights = readFileSync(new URL("model.safetensors", folder));
    const found = /\\"logits\\":\[-?(\d)/.exec(weights.subarray(0, 100_000).toString("latin1"));
    weights[found.index + found[0].length - 1] = found[1] === "9" ? 56 : found[1].charCodeAt(0) + 1;
    const all = [];
    await rejectsWith("integrity", /the golden pair/, () =>
      loadLayers(3, { files: modelFiles(folder).set("model.safetensors", new Blob([weights])), started: all }),
    );
    await whenEnded(all);
  });
});

describe("the choice between copies and layers", () => {
  const [whole, together, splitPoints] = [300e6, 330e6, [7, 13]];
  const choose = (request, sizes = [whole, together]) =>
    chooseSplit([...sizes, 0, ...splitPoints], { mode: "auto", workers: 3, ...request });
  const layers = { split: "layers", splitPoints, unpooledRows: 0, bytes: together };

  test("automatic workers have copies of a small model, and layers of a large one", () => {
    assert.deepEqual(choose({}), layers);
    assert.deepEqual(choose({}, [200e6, 240e6]), { split: "copies", workers: 3 });
  });

  test("a model whose layers share weights is not split", () => {
    assert.deepEqual(choose({}, [whole, 3 * whole]), { split: "copies", workers: 1 });
    assert.deepEqual(chooseSplit([whole, whole, 0], { mode: "layers", workers: 3 }), { split: "copies", workers: 1 });
  });

  test("a limit of memory is for all workers together", () => {
    assert.deepEqual(choose({ maxBytes: 2 * whole }), { split: "copies", workers: 2 });
    assert.deepEqual(choose({ maxBytes: together }), layers);
    assert.deepEqual(choose({ maxBytes: together - 1 }), { split: "copies", workers: 1 });
    assert.deepEqual(choose({ mode: "layers", maxBytes: together }), layers);
    assert.throws(() => choose({ mode: "layers", maxBytes: together - 1 }), {
      code: "out-of-memory",
      message: /about 330\.0 MB of memory in 3 workers together; the limit is 330\.0 MB/,
    });
  });

  test("maxMemoryBytes decides how many workers have copies, and whether layers are split", async () => {
    const load = async (maxMemoryBytes, options) => {
      const reranker = await Reranker.load(undefined, { device: "cpu", maxMemoryBytes, ...options });
      const { memoryBytes, backend } = reranker.info;
      reranker.dispose();
      return { memoryBytes, backend };
    };
    const one = (await load(undefined, { workers: 1 })).memoryBytes;
    const all = (await load(undefined, { workers: 2, split: "layers" })).memoryBytes;
    assert.ok(all > one && all < 2 * one, `${one} and ${all} bytes`);
    assert.equal((await load(all, { workers: 2, split: "layers" })).backend.split, "layers");
    await rejectsWith("out-of-memory", /in 2 workers together/, () => load(all - 1, { workers: 2, split: "layers" }));
    const [few, fewer] = [await load(2 * one), await load(one)];
    assert.ok(few.backend.workers <= 2 && few.memoryBytes === one);
    assert.deepEqual([fewer.backend.workers, fewer.backend.split], [1, undefined]);
  });

  test("layers need several workers and the CPU", async () => {
    for (const options of [{ workers: 0 }, { workers: 1 }]) {
      await rejectsWith("input", /at least 2 workers/, () => Reranker.load(url, { split: "layers", ...options }));
    }
    await rejectsWith("input", /split/, () => Reranker.load(url, { split: "halves" }));
  });
});
