// Refused requests, in the shape of each dialect. The tests of `ranklet serve` replay the same table.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { dist, root } from "../../support/paths.js";
import { client, question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { query, documents } = question;
const { dialects, refused } = JSON.parse(readFileSync(new URL("tests/fixtures/rerank_refusals.json", root), "utf8"));
const models = new URL("models/default/", root);

/** Posts a request of a dialect for two documents, with some more fields. */
async function post(reranker, { path, documents: name, extra }, fields) {
  const response = await client(reranker).post(path, { query, [name]: documents.slice(0, 2), ...extra, ...fields });
  return { status: response.status, answer: await response.json() };
}

describe("wrong fields", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(undefined, { workers: 1 })));
  after(() => reranker.dispose());

  for (const dialect of dialects) {
    for (const [fields, part] of refused) {
      test(`${JSON.stringify(fields)} is refused as the servers of ${dialect.name} do it`, async () => {
        const { status, answer } = await post(reranker, dialect, fields);
        assert.equal(status, dialect.status, JSON.stringify(answer));
        if (dialect.documents === "texts") {
          assert.deepEqual(Object.keys(answer), ["error", "error_type"]);
          assert.equal(answer.error_type, "Validation");
        } else {
          assert.equal(answer.error.code, status);
          assert.equal(answer.error.message, answer.message);
          assert.deepEqual(answer.detail, status === 422 ? [{ loc: ["body"], msg: answer.message, type: "value_error" }] : answer.message);
        }
        const message = answer.message ?? answer.error;
        assert.ok(message.includes(part), message);
      });
    }

    test(`the next request of ${dialect.name} is answered`, async () => {
      assert.equal((await post(reranker, dialect, {})).status, 200);
    });
  }

  test("/score refuses them with 400", async () => {
    const wrong = [
      [{ scores: "probability" }, /ranklet calibrate/],
      [{ scores: 1 }, /^scores must be/],
      [{ instruction: "Find facts." }, /^this model takes no instruction: put it into the query$/],
    ];
    for (const [fields, message] of wrong) {
      const response = await client(reranker).post("/score", { text_1: query, text_2: documents, ...fields });
      assert.equal(response.status, 400);
      assert.match((await response.json()).message, message);
    }
  });
});

describe("the scores of a calibrated model", () => {
  const calibration = { scale: 0.5, offset: -1.25 };
  let reranker;
  before(async () => {
    const names = ["config.json", "tokenizer.json", "tokenizer_config.json", "config_sentence_transformers.json", "model.safetensors"];
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, models))]));
    files["config.json"] = Buffer.from(JSON.stringify({ ...JSON.parse(files["config.json"].toString()), ranklet: { calibration } }));
    reranker = await Reranker.load(files, { workers: 1 });
  });
  after(() => reranker.dispose());

  for (const dialect of dialects) {
    test(`${dialect.name}: the field "scores" chooses them`, async () => {
      const scores = async (fields) => {
        const { status, answer } = await post(reranker, dialect, fields);
        assert.equal(status, 200, JSON.stringify(answer));
        return (answer.results ?? answer).map((row) => ({ index: row.index, score: row.relevance_score ?? row.score }));
      };
      const logits = await scores({ scores: "raw" });
      assert.deepEqual(await scores({ raw_scores: true, scores: "raw" }), logits);
      assert.deepEqual(await scores({ use_activation: false, scores: null }), logits);
      const sigmoids = await scores({});
      assert.deepEqual(await scores({ scores: "sigmoid" }), sigmoids);
      // Clients of Infinity and Text Embeddings Inference always send the flag.
      const probabilities = await scores({ scores: "probability", raw_scores: false });
      for (const [at, { index, score }] of probabilities.entries()) {
        const expected = 1 / (1 + Math.exp(-(calibration.scale * logits[at].score + calibration.offset)));
        assert.equal(index, logits[at].index);
        assert.ok(Math.abs(score - expected) < 1e-6, `${score}, not ${expected}`);
      }
      assert.notDeepEqual(probabilities, sigmoids);
      assert.deepEqual(await scores({ scores: "probability", min_score: probabilities[0].score }), probabilities.slice(0, 1));
    });
  }

  test("/score has them too", async () => {
    const body = { text_1: query, text_2: documents.slice(0, 2), scores: "probability" };
    const { data } = await (await client(reranker).post("/v1/score", body)).json();
    const { results } = await reranker.rerank({ query, documents: documents.slice(0, 2), scores: "probability" });
    for (const { index, score } of results) assert.equal(data[index].score, score);
  });
});
