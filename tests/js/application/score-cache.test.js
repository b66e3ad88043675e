import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { rejectsWith } from "../support/assert.js";
import { lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { rerankerOn } from "../support/pool.js";
import { until } from "../support/until.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { CachedScorer } = await import(new URL("scoring/cache/cached-scorer.js", dist));
const { ScoreCache } = await import(new URL("scoring/cache/score-cache.js", dist));
const { PortableSha256 } = await import(new URL("util/sha256.js", dist));
const { RankletError } = await import(new URL("errors.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const several = checkpoint((labels) => labels > 1);
const query = "How many people live in Berlin?";
const documents = ["Bread and butter.", "Berlin has about three and a half million people.", "A long way to go.", "Berlin."];
const scoreCache = { maxBytes: 1e6 };

for (const workers of [0, 2]) {
  describe(`a score cache with ${workers} workers`, () => {
    let plain;
    let cached;
    before(
      async () => ([plain, cached] = await Promise.all([Reranker.load(url, { workers }), Reranker.load(url, { workers, scoreCache })])),
    );
    after(() => {
      plain.dispose();
      cached.dispose();
    });

    test("a second identical call scores nothing and has the same results", async () => {
      const first = await cached.rerank({ query, documents, returnDocuments: true });
      assert.equal(first.timings.cacheHits, 0);
      const second = await cached.rerank({ query, documents, returnDocuments: true });
      assert.deepEqual(second.results, first.results);
      assert.deepEqual(second.results, (await plain.rerank({ query, documents, returnDocuments: true })).results);
      assert.equal(second.timings.cacheHits, documents.length);
      assert.equal(second.timings.engineMs, 0);
      assert.deepEqual(second.usage, { tokens: 0, documents: documents.length });
    });

    test("only pairs that are new are scored", async () => {
      const mixed = [...documents, "A new one.", documents[0], "A new one."];
      const { results, timings } = await cached.rerank({ query, documents: mixed });
      assert.deepEqual(results, (await plain.rerank({ query, documents: mixed })).results);
      assert.equal(timings.cacheHits, 6);
      assert.equal((await cached.rerank({ query: "another query", documents })).timings.cacheHits, 0);
    });

    test("all kinds of scores share the logits, with the bits of a call without a cache", async () => {
      const pairs = documents.map((document) => [query, document]);
      for (const scores of ["raw", "sigmoid", "model"]) {
        assert.deepEqual(await cached.score(pairs, { scores }), await plain.score(pairs, { scores }), scores);
        assert.equal((await cached.rerank({ query, documents, scores })).timings.cacheHits, documents.length);
      }
    });

    test("stream, rank and collections use the scores of the other calls", async () => {
      const { results } = await plain.rerank({ query, documents });
      assert.deepEqual(await cached.rank(query, documents), await plain.rank(query, documents));
      const parts = [];
      for await (const part of cached.stream({ query, documents })) parts.push(...part.results);
      assert.deepEqual(
        parts.sort((a, b) => b.score - a.score),
        results,
      );
      const collection = await cached.prepare(["another", ...documents]);
      const ranking = await lastOf(collection.rank(query, { candidates: [4, 3, 2, 1] }));
      assert.deepEqual(
        ranking.results.map(({ index }) => index - 1),
        results.map(({ index }) => index),
      );
      assert.equal(ranking.timings.cacheHits, documents.length);
      const all = await lastOf(collection.rank(query));
      assert.equal(all.timings.cacheHits, documents.length);
      assert.equal((await lastOf(collection.rank(query))).timings.cacheHits, documents.length + 1);
      collection.dispose();
      await assert.rejects(lastOf(collection.rank(query)));
    });

    test("limits on documents are part of a pair", async () => {
      const long = [`${"Berlin has many people. ".repeat(40)}`];
      for (const options of [
        {},
        { maxTokensPerDocument: 5 },
        { longDocuments: "chunk" },
        { longDocuments: "chunk", maxTokensPerDocument: 60 },
      ]) {
        const first = await cached.rerank({ query, documents: long, ...options });
        const second = await cached.rerank({ query, documents: long, ...options });
        assert.deepEqual([first.timings.cacheHits, second.timings.cacheHits], [0, 1], JSON.stringify(options));
        assert.deepEqual(first.results, (await plain.rerank({ query, documents: long, ...options })).results);
        assert.deepEqual(second.results, first.results);
      }
    });

    test("calls at the same time score a pair once", async () => {
      const same = documents.map((document) => `${document} In two calls.`);
      const [one, two] = await Promise.all([
        cached.rerank({ query, documents: same }),
        cached.rerank({ query, documents: [...same].reverse() }),
      ]);
      assert.equal(one.timings.cacheHits + two.timings.cacheHits, same.length);
      assert.deepEqual(
        two.results.map(({ index, score }) => [same.length - 1 - index, score]),
        one.results.map(({ index, score }) => [index, score]),
      );
      assert.equal(one.usage.tokens + two.usage.tokens, (await plain.rerank({ query, documents: same })).usage.tokens);
    });
  });
}

test("a model with several labels keeps all of them", async () => {
  const reranker = await Reranker.load(several.url, { scoreCache });
  const pairs = documents.map((document) => [query, document]);
  const first = await reranker.score(pairs);
  assert.equal(first.length, pairs.length * several.expected.num_labels);
  assert.deepEqual(await reranker.score(pairs), first);
  const plain = await Reranker.load(several.url);
  assert.deepEqual(await plain.score(pairs), first);
  reranker.dispose();
  plain.dispose();
});

test("rerankers that share an engine share its cache", async () => {
  const [one, two] = await Promise.all([Reranker.shared(url, { scoreCache }), Reranker.shared(url, { scoreCache })]);
  await one.rerank({ query, documents });
  assert.equal((await two.rerank({ query, documents })).timings.cacheHits, documents.length);
  one.dispose();
  assert.equal((await two.rerank({ query, documents })).timings.cacheHits, documents.length);
  two.dispose();
  await rejectsWith("disposed", /disposed/, () => two.rerank({ query, documents }));
});

test("a disposed reranker has no scores", async () => {
  const reranker = await Reranker.load(url, { scoreCache });
  await reranker.rerank({ query, documents });
  const stream = reranker.stream({ query, documents });
  reranker.dispose();
  await rejectsWith("disposed", /disposed/, () => reranker.rerank({ query, documents }));
  await rejectsWith("disposed", /disposed/, () => stream.next());
});

for (const [options, message] of [
  [{ scoreCache: true }, /scoreCache: the options must be an object/],
  [{ scoreCache: {} }, /scoreCache must have maxBytes/],
  [{ scoreCache: { maxBytes: 0 } }, /scoreCache: maxBytes must be a whole number of 1 or more/],
  [{ scoreCache: { maxBytes: 1, size: 2 } }, /scoreCache: unknown option "size"/],
]) {
  test(`load refuses ${JSON.stringify(options)}`, () => rejectsWith("input", message, () => Reranker.load(url, options)));
}

describe("calls in flight", () => {
  /** A reranker over an engine whose jobs end when a test says so. The score of a pair is the length of its document. */
  function manual() {
    const jobs = [];
    const engine = {
      info: {
        numLabels: 1,
        activation: "identity",
        calibrated: false,
        backend: { device: "webgpu", dtype: "f32", workers: 0, reason: "" },
      },
      score(job, { onPartial, signal }) {
        return new Promise((resolve, fail) => {
          const finish = () => {
            try {
              onPartial({ scores: Float32Array.from(job.documents, ({ length }) => length), tokens: job.documents.length, engineMs: 1 });
              resolve();
            } catch (error) {
              fail(error);
            }
          };
          jobs.push({ documents: job.documents, finish, fail });
          signal.addEventListener("abort", () => fail(new RankletError("aborted", "the call was aborted")));
        });
      },
      dispose() {},
    };
    const scorer = new CachedScorer(engine, 1e6, () => new PortableSha256());
    return { reranker: rerankerOn(scorer), jobs, engine };
  }

  test("an aborted call leaves its pairs to the others", async () => {
    const { reranker, jobs } = manual();
    const controller = new AbortController();
    const aborted = reranker.rerank({ query, documents: ["a", "bb", "ccc"], signal: controller.signal });
    const waiting = [reranker.rerank({ query, documents: ["bb", "dddd"] }), reranker.rerank({ query, documents: ["ccc", "bb"] })];
    assert.deepEqual(
      jobs.map((job) => job.documents),
      [["a", "bb", "ccc"], ["dddd"]],
    );
    jobs[1].finish();
    controller.abort();
    await rejectsWith("aborted", /aborted/, () => aborted);
    await new Promise(setImmediate);
    assert.deepEqual(
      jobs.slice(2).map((job) => job.documents),
      [["bb"], ["ccc"]],
    );
    for (const { finish } of jobs.slice(2)) finish();
    const [first, second] = await Promise.all(waiting);
    assert.deepEqual(
      first.results.map(({ index, score }) => [index, score]),
      [
        [1, 4],
        [0, 2],
      ],
    );
    assert.deepEqual(
      second.results.map(({ index, score }) => [index, score]),
      [
        [0, 3],
        [1, 2],
      ],
    );
    assert.deepEqual([first.timings.cacheHits, second.timings.cacheHits], [0, 1]);
  });

  test("a call that fails leaves its pairs to the others", async () => {
    const { reranker, jobs } = manual();
    const failing = reranker.rerank({ query, documents: ["a"] });
    const waiting = reranker.rerank({ query, documents: ["a"] });
    jobs[0].fail(new RankletError("internal", "lost"));
    await rejectsWith("internal", /lost/, () => failing);
    await new Promise(setImmediate);
    jobs[1].finish();
    assert.equal((await waiting).results[0].score, 1);
  });

  test("an abort ends a call that waits for another one", async () => {
    const { reranker, jobs } = manual();
    const scoring = reranker.rerank({ query, documents: ["a"] });
    const controller = new AbortController();
    const waiting = reranker.rerank({ query, documents: ["a"], signal: controller.signal });
    controller.abort();
    await rejectsWith("aborted", /aborted/, () => waiting);
    jobs[0].finish();
    assert.equal((await scoring).results[0].score, 1);
    assert.equal(jobs.length, 1);
  });

  test("an error of a caller's callback does not disturb the other calls", async () => {
    const { reranker, jobs } = manual();
    const thrown = new Error("mine");
    const fails = () => {
      throw thrown;
    };
    const calls = [{ onProgress: fails }, {}, { onProgress: fails }, {}].map((options) =>
      reranker.rerank({ query, documents: ["a", "bb"], ...options }),
    );
    jobs[0].finish();
    const outcomes = await Promise.allSettled(calls);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "fulfilled", "rejected", "fulfilled"],
    );
    assert.ok(outcomes[0].reason === thrown && outcomes[2].reason === thrown);
    assert.equal(jobs.length, 1);
  });

  test("a call does not mix scores of a GPU and of the CPU that took over", async () => {
    const { reranker, jobs, engine } = manual();
    const known = reranker.rerank({ query, documents: ["a"] });
    jobs[0].finish();
    await known;
    const scoring = reranker.rerank({ query, documents: ["bb"] });
    const waiting = reranker.rerank({ query, documents: ["a", "bb"] });
    engine.info = { ...engine.info, backend: { ...engine.info.backend, device: "cpu" } };
    jobs[1].fail(new RankletError("device-lost", "gone"));
    for (let at = 2; at < 4; at++) {
      await until(() => jobs.length > at);
      jobs[at].finish();
    }
    assert.deepEqual(
      jobs
        .slice(2)
        .flatMap((job) => job.documents)
        .sort(),
      ["a", "bb"],
    );
    assert.equal((await waiting).results.length, 2);
    assert.equal((await scoring).results.length, 1);
  });
});

describe("the bound", () => {
  test("a million inserts stay within it, in the memory of the process too", (t) => {
    const maxBytes = 40e6;
    const random = randomBytes(32e6);
    const key = (at) => random.toString("hex", 32 * at, 32 * at + 32);
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc");
    gc();
    const before = process.memoryUsage().heapUsed;
    const cache = new ScoreCache(maxBytes);
    for (let at = 0; at < 1e6; at++) {
      cache.set(key(at), [at]);
      if (at % 1000 === 0) assert.ok(cache.bytes <= maxBytes, `${cache.bytes} bytes after ${at} inserts`);
    }
    assert.ok(cache.bytes <= maxBytes && cache.bytes > 0.99 * maxBytes);
    gc();
    const used = process.memoryUsage().heapUsed - before;
    t.diagnostic(`${cache.size} scores take ${(used / 1e6).toFixed(1)} MB for a bound of ${maxBytes / 1e6} MB`);
    assert.ok(used <= maxBytes, `${used} bytes of the heap for a bound of ${maxBytes}`);
    assert.equal(cache.get(key(999_999))?.[0], 999_999);
    assert.equal(cache.get(key(0)), undefined);
  });

  test("the scores that were not used for the longest time make room", () => {
    const cache = new ScoreCache(700);
    for (const key of ["a", "b", "c"]) cache.set(key, [1]);
    cache.get("a");
    cache.set("d", [1]);
    assert.deepEqual(
      ["a", "b", "c", "d"].map((key) => cache.get(key) !== undefined),
      [true, false, true, true],
    );
    cache.set("d", [1]);
    assert.equal(cache.size, 3);
    const small = new ScoreCache(10);
    small.set("a", [1]);
    assert.deepEqual([small.size, small.bytes], [0, 0]);
  });
});
