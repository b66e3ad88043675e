// Clients of rerank services against the handler and `ranklet serve`. Only their base URL is changed.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { createCohere } from "@ai-sdk/cohere";
import { createCohere as createCohere3 } from "@ai-sdk/cohere-3";
import { createTogetherAI } from "@ai-sdk/togetherai";
import { createVoyage } from "@ai-sdk/voyage";
import { serve } from "@hono/node-server";
import { CohereRerank } from "@langchain/cohere";
import { rerank } from "ai";
import { rerank as rerank6 } from "ai-6";
import cohere from "cohere-ai";
import cohere7 from "cohere-ai-7";
import { VoyageAIClient } from "voyageai";

import { rankletServer } from "../../../../bench/serving/servers.mjs";
import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createHandler } = await import(new URL("server/index.js", dist));
const { query, documents, best } = question;
const apiKey = "key of the test";

/** Starts each server with the key of the test and ten documents per request. Returns its origin and how to stop it. */
const servers = {
  "the handler": async () => {
    const server = serve({ fetch: createHandler(reranker, { apiKeys: apiKey, maxDocuments: 10 }), port: 0, hostname: "127.0.0.1" });
    await new Promise((listening) => server.once("listening", listening));
    return { url: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise((closed) => server.close(closed)) };
  },
  "ranklet serve": () => rankletServer(["--api-key", apiKey, "--max-documents", "10"]).open(),
};

let reranker, origin, expected;
before(async () => {
  reranker = await Reranker.load();
  expected = (await reranker.rerank({ query, documents, topN: 2, scores: "sigmoid" })).results;
  assert.equal(expected[0].index, best);
});
after(() => reranker.dispose());

/** The clients that return rows with `index` and `relevanceScore`. Each is called with the key to send. */
const clients = {
  "cohere-ai 8, v2": (token, texts) =>
    new cohere.CohereClientV2({ token, environment: origin }).rerank({ model: "m", query, documents: texts, topN: 2 }),
  "cohere-ai 8, v1": (token, texts) =>
    new cohere.CohereClient({ token, environment: origin }).rerank({
      model: "m",
      query,
      documents: texts.map((text) => ({ text })),
      topN: 2,
    }),
  "cohere-ai 7, v2": (token, texts) =>
    new cohere7.CohereClientV2({ token, environment: origin }).rerank({ model: "m", query, documents: texts, topN: 2 }),
  "cohere-ai 7, v1": (token, texts) =>
    new cohere7.CohereClient({ token, environment: origin }).rerank({ model: "m", query, documents: texts, topN: 2 }),
  "@langchain/cohere": async (token, texts) => ({
    results: await new CohereRerank({ client: new cohere7.CohereClient({ token, environment: origin }), model: "m", topN: 2 }).rerank(
      texts,
      query,
    ),
  }),
};

/** The providers of the AI SDK. */
const providers = {
  "@ai-sdk/cohere 4 with ai 7": [rerank, () => createCohere({ apiKey, baseURL: `${origin}/v2` })],
  "@ai-sdk/cohere 3 with ai 6": [rerank6, () => createCohere3({ apiKey, baseURL: `${origin}/v2` })],
  "@ai-sdk/voyage with ai 7": [rerank, () => createVoyage({ apiKey, baseURL: `${origin}/v1` })],
  "@ai-sdk/voyage with ai 6": [rerank6, () => createVoyage({ apiKey, baseURL: `${origin}/v1` })],
  "@ai-sdk/togetherai with ai 7": [rerank, () => createTogetherAI({ apiKey, baseURL: `${origin}/v1` })],
  "@ai-sdk/togetherai with ai 6": [rerank6, () => createTogetherAI({ apiKey, baseURL: `${origin}/v1` })],
};

/** A result as `rerank` has it: JSON of the program has the shortest digits of the same f32. */
const result = (index, score) => ({ index, score: Math.fround(score) });

for (const [name, start] of Object.entries(servers)) {
  describe(name, () => {
    let server;
    before(async () => {
      server = await start();
      origin = new URL(server.url).origin;
    });
    after(() => server?.close());

    describe("a ranking through", () => {
      for (const [name, call] of Object.entries(clients)) {
        test(name, async () => {
          const { results } = await call(apiKey, documents);
          assert.deepEqual(
            results.map(({ index, relevanceScore }) => result(index, relevanceScore)),
            expected,
          );
        });
      }

      test("voyageai", async () => {
        const { data, usage } = await new VoyageAIClient({ apiKey, environment: `${origin}/v1` }).rerank({
          model: "m",
          query,
          documents,
          topK: 2,
          returnDocuments: true,
        });
        assert.deepEqual(
          data.map(({ index, relevanceScore }) => result(index, relevanceScore)),
          expected,
        );
        assert.equal(data[0].document, documents[best]);
        assert.ok(usage.totalTokens > 0);
      });

      for (const [name, [call, provider]] of Object.entries(providers)) {
        test(name, async () => {
          const { ranking } = await call({ model: provider().reranking("m"), query, documents, topN: 2 });
          assert.deepEqual(
            ranking.map(({ originalIndex, score }) => result(originalIndex, score)),
            expected,
          );
          assert.equal(ranking[0].document, documents[best]);
        });
      }
    });

    describe("an error reaches", () => {
      for (const [name, call] of Object.entries(clients)) {
        test(`${name}: a wrong key, and too many documents`, async () => {
          await assert.rejects(call("wrong", documents), (error) => error.statusCode === 401 && /the API key is wrong/.test(error.message));
          await assert.rejects(
            call(apiKey, Array(11).fill("text")),
            (error) => error.statusCode === 413 && /the server takes 10/.test(error.message),
          );
        });
      }

      for (const [name, [call, provider]] of Object.entries(providers)) {
        test(`${name}: too many documents`, async () => {
          const many = { model: provider().reranking("m"), query, documents: Array(11).fill("text"), maxRetries: 0 };
          await assert.rejects(call(many), (error) => error.statusCode === 413 && /the server takes 10/.test(error.message));
        });
      }
    });
  });
}
