import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import * as ai7 from "ai";
import * as ai6 from "ai-6";

import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createRanklet } = await import(new URL("adapters/ai-sdk.js", dist));
const { query, documents, best } = question;

globalThis.AI_SDK_LOG_WARNINGS = false;
let reranker, ranklet, expected;
before(async () => {
  reranker = await Reranker.load(undefined, { workers: 1 });
  ranklet = createRanklet({ rerankers: { default: reranker, named: Promise.resolve(reranker) } });
  expected = (await reranker.rerank({ query, documents })).results;
});
after(() => reranker.dispose());

test("a provider refuses an unknown option", () => {
  assert.throws(() => createRanklet({ model: "ranklet/small" }), {
    code: "input",
    message: /createRanklet: unknown option "model"; known are rerankers, loadOptions/,
  });
});

for (const [version, ai] of [
  ["6", ai6],
  ["7", ai7],
]) {
  describe(`rerank of the AI SDK ${version}`, () => {
    const rerank = (options) => ai.rerank({ model: ranklet("default"), query, documents, ...options });
    const rows = ({ ranking }) => ranking.map(({ originalIndex, score }) => ({ index: originalIndex, score }));

    test("ranks texts, with usage and timings as metadata", async () => {
      const result = await rerank();
      assert.deepEqual(rows(result), expected);
      assert.equal(result.ranking[0].document, documents[best]);
      const { usage, timings, backend } = result.providerMetadata.ranklet;
      assert.equal(usage.documents, 3);
      assert.ok(usage.tokens > 0 && timings.totalMs > 0);
      assert.equal(backend.device, "cpu");
      assert.equal(result.response.modelId, "default");
    });

    test("returns topN documents and no more", async () => {
      assert.deepEqual(rows(await rerank({ topN: 2 })), expected.slice(0, 2));
    });

    test("scores the text of objects, or the fields that providerOptions names", async () => {
      const texts = documents.map((text, id) => ({ id, text }));
      assert.deepEqual(rows(await rerank({ documents: texts })), expected);
      const fields = documents.map((body, id) => ({ id, body }));
      assert.deepEqual(rows(await rerank({ documents: fields, providerOptions: { ranklet: { rankFields: ["body"] } } })), expected);
      const articles = documents.map((body, id) => ({ id, title: "A title", body }));
      assert.deepEqual(rows(await rerank({ documents: articles })), expected);
      const { warnings } = await ranklet("default").doRerank({ query, documents: { type: "object", values: articles } });
      assert.deepEqual(warnings, []);
    });

    test("writes objects as YAML if providerOptions says so", async () => {
      const objects = documents.map((body, id) => ({ page: { body, id } }));
      const { results } = await reranker.rerank({ query, documents: objects, structured: "yaml" });
      assert.deepEqual(rows(await rerank({ documents: objects, providerOptions: { ranklet: { structured: "yaml" } } })), results);
    });

    test("scores other objects as JSON, with a warning", async () => {
      const objects = documents.map((note) => ({ note }));
      const { results } = await reranker.rerank({ query, documents: objects.map((object) => JSON.stringify(object)) });
      assert.deepEqual(rows(await rerank({ documents: objects })), results);
      const { warnings } = await ranklet("default").doRerank({ query, documents: { type: "object", values: objects } });
      assert.equal(warnings[0].type, "compatibility");
      assert.match(warnings[0].details, /rankFields/);
    });

    test("passes scores and limits on, and refuses an unknown option", async () => {
      const raw = await rerank({ providerOptions: { ranklet: { scores: "raw", longDocuments: "chunk", maxTokensPerDocument: 50 } } });
      assert.deepEqual(rows(raw), (await reranker.rerank({ query, documents, scores: "raw" })).results);
      await assert.rejects(rerank({ providerOptions: { ranklet: { score: "raw" } } }), {
        code: "input",
        message: /unknown option "score"/,
      });
    });

    test("refuses options of rerank that the AI SDK has itself, or whose results it does not return", async () => {
      for (const options of [{ topN: 1 }, { returnDocuments: true }, { highlights: 1 }, { deadlineMs: 1000 }]) {
        await assert.rejects(rerank({ providerOptions: { ranklet: options } }), {
          code: "input",
          message: /^providerOptions\.ranklet: unknown option "\w+"; .*known are /i,
        });
      }
    });

    test("a signal ends a call that waits for the model", { timeout: 120_000 }, async () => {
      const waiting = createRanklet({ rerankers: { slow: new Promise(() => {}) } })("slow");
      const controller = new AbortController();
      const call = ai.rerank({ model: waiting, query, documents, abortSignal: controller.signal });
      setTimeout(() => controller.abort("enough"), 20);
      await assert.rejects(call, { code: "aborted", cause: "enough" });
    });

    test("refuses documents of different types", async () => {
      await assert.rejects(rerank({ documents: ["a", { b: 1 }] }), {
        code: "input",
        message: /documents\[1\] must be a string, like documents\[0\]/,
      });
      await assert.rejects(rerank({ documents: [{ text: "a" }, "b"] }), { code: "input", message: /documents\[1\] must be an object/ });
    });

    test("refuses a signal that is aborted, before the model loads", async () => {
      const call = { model: createRanklet()("not/loaded"), query, documents, abortSignal: AbortSignal.abort("enough") };
      await assert.rejects(ai.rerank(call), { code: "aborted", cause: "enough" });
    });

    test("finds models by string, through a registry and as a custom provider", async () => {
      globalThis.AI_SDK_DEFAULT_PROVIDER = ranklet;
      assert.deepEqual(rows(await rerank({ model: "named" })), expected);
      delete globalThis.AI_SDK_DEFAULT_PROVIDER;
      const registry = ai.createProviderRegistry({ ranklet });
      assert.deepEqual(rows(await rerank({ model: registry.rerankingModel("ranklet:named") })), expected);
      const custom = ai.customProvider({ rerankingModels: { mine: ranklet.reranking("default") } });
      assert.deepEqual(rows(await rerank({ model: custom.rerankingModel("mine") })), expected);
    });
  });
}

test("a provider has one model per id, and none of another kind", () => {
  assert.equal(ranklet("default"), ranklet.rerankingModel("default"));
  assert.equal(ranklet(), ranklet.reranking("default"));
  const { rerankingModel, languageModel } = ranklet;
  assert.equal(rerankingModel("named").modelId, "named");
  assert.throws(() => languageModel("x"), { code: "unsupported", message: /reranking models only/ });
});

test("a model that cannot be loaded rejects, and is loaded again by the next call", async () => {
  const missing = createRanklet({ loadOptions: { localFilesOnly: true, cache: false } })("no/model");
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(missing.doRerank({ query, documents: { type: "text", values: documents } }), { name: "RankletError" });
  }
});
