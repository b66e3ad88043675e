import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { scoreFunction } = await import(new URL("scoring/cache/activation.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const calibration = { scale: 0.7, offset: -1.3 };
const query = "How many people live in Berlin?";
const documents = Array.from({ length: 200 }, (_, at) => `document ${at} of ${(at * 7919) % 1000} ${"words ".repeat(at % 9)}`);
const pairs = documents.map((document) => [query, document]);

/** The files of the small model, with a calibration in config.json. */
function calibrated() {
  const files = Object.fromEntries(readdirSync(url).map((name) => [name, readFileSync(new URL(name, url))]));
  const config = { ...JSON.parse(files["config.json"].toString()), ranklet: { calibration } };
  return { ...files, "config.json": Buffer.from(JSON.stringify(config)) };
}

describe("probabilities", () => {
  let reranker;
  let logits;
  before(async () => {
    reranker = await Reranker.load(calibrated());
    logits = await reranker.score(pairs, { scores: "raw" });
  });
  after(() => reranker.dispose());

  test("info says that the model is calibrated", async () => {
    assert.equal(reranker.info.calibrated, true);
    assert.deepEqual(reranker.info.calibration, calibration);
    assert.ok(Object.isFrozen(reranker.info.calibration));
    const plain = await Reranker.load(url);
    assert.equal(plain.info.calibrated, false);
    assert.ok(!("calibration" in plain.info));
    plain.dispose();
  });

  test("are the sigmoid of the scaled and shifted logits, in all calls", async () => {
    const scores = "probability";
    const probabilities = await reranker.score(pairs, { scores });
    for (const [at, probability] of probabilities.entries()) {
      const expected = 1 / (1 + Math.exp(-(calibration.scale * logits[at] + calibration.offset)));
      assert.ok(Math.abs(probability - expected) < 1e-6, `${probability}, not ${expected}`);
    }
    const { results } = await reranker.rerank({ query, documents, scores });
    for (const { index, score } of results) assert.equal(score, probabilities[index]);
    assert.deepEqual(
      await reranker.rank(query, documents, { scores }),
      results.map(({ index, score }) => ({ corpus_id: index, score })),
    );
    assert.deepEqual((await reranker.rerank({ query, documents, scores, minScore: results[3].score })).results, results.slice(0, 4));
    for await (const part of reranker.stream({ query, documents, scores }))
      for (const { index, score } of part.results) assert.equal(score, probabilities[index]);
    const collection = await reranker.prepare(documents);
    for await (const part of collection.rank(query, { scores }))
      for (const { index, score } of part.results) assert.equal(score, probabilities[index]);
    collection.dispose();
  });

  test("a model without a calibration has none, and the error says how to make one", async () => {
    for (const options of [{}, { scoreCache: { maxBytes: 1e5 } }, { workers: 0 }]) {
      const plain = await Reranker.load(url, options);
      await plain.rerank({ query, documents });
      await rejectsWith("unsupported", /not calibrated.*ranklet calibrate/, () =>
        plain.rerank({ query, documents, scores: "probability" }),
      );
      plain.dispose();
    }
  });

  test("a calibration that is wrong is an error of the model", async () => {
    const files = calibrated();
    files["config.json"] = Buffer.from(files["config.json"].toString().replace("0.7", "0"));
    await rejectsWith("config", /scale/, () => Reranker.load(files));
  });

  test("scores from the cache's logits have the bits of the engine's", async () => {
    for (const scores of ["raw", "sigmoid", "probability"]) {
      const toScore = scoreFunction(scores, reranker.info);
      assert.deepEqual(Float32Array.from(logits, toScore), await reranker.score(pairs, { scores }), scores);
    }
    const cached = await Reranker.load(calibrated(), { scoreCache: { maxBytes: 1e6 } });
    await cached.score(pairs);
    for (const scores of ["probability", "sigmoid", "raw", "model"])
      assert.deepEqual(await cached.score(pairs, { scores }), await reranker.score(pairs, { scores }), scores);
    assert.equal((await cached.rerank({ query, documents, scores: "probability" })).timings.cacheHits, documents.length);
    cached.dispose();
  });

  test("a sigmoid has the bits of the engine's for small and large logits", async () => {
    // Calibrations move the logits of a few pairs to where the functions bend.
    for (const [scale, offset] of [
      [1e-3, 0],
      [1, -90],
      [1, 90],
      [40, -20],
      [1e4, 3],
      [1, 17.3],
      [1, -17.3],
      [3, 1e-7],
    ]) {
      const files = calibrated();
      const config = { ...JSON.parse(files["config.json"].toString()), ranklet: { calibration: { scale, offset } } };
      const model = await Reranker.load({ ...files, "config.json": Buffer.from(JSON.stringify(config)) }, { workers: 0 });
      const toScore = scoreFunction("probability", model.info);
      assert.deepEqual(Float32Array.from(logits, toScore), await model.score(pairs, { scores: "probability" }), `${scale} ${offset}`);
      model.dispose();
    }
  });
});
