import assert from "node:assert/strict";
import { test } from "node:test";

import { rerank } from "ai";

import { id, withHub } from "../../support/models/hub-model.js";
import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { createRanklet } = await import(new URL("adapters/ai-sdk.js", dist));
const { RankletRerank } = await import(new URL("adapters/langchain.js", dist));
const { createScorer } = await import(new URL("adapters/mastra.js", dist));
const { query, documents } = question;
const context = withHub();

test("adapters with the same model and the application share one engine", async () => {
  const loadOptions = { baseUrl: context.hub.url, cache: false, workers: 0 };
  const own = await Reranker.shared(id, loadOptions);
  const requests = context.hub.requests.length;
  assert.ok(requests > 0);

  const rows = await new RankletRerank({ model: id, loadOptions }).rerank(documents, query);
  const scorer = createScorer({ model: id, loadOptions });
  await scorer.getRelevanceScore(query, documents[0]);
  await rerank({ model: createRanklet({ loadOptions })(id), query, documents });

  assert.equal(context.hub.requests.length, requests, "the model was loaded once");
  own.dispose();
  // The adapters still need the engine.
  assert.deepEqual(await new RankletRerank({ model: id, loadOptions }).rerank(documents, query), rows);
  assert.equal(context.hub.requests.length, requests);
});
