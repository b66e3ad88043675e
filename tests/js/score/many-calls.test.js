import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "a query";
const documents = ["one document", "another"];

describe("many calls at the same time", () => {
  const warnings = [];
  const listener = (warning) => warnings.push(warning.message);
  before(() => process.on("warning", listener));
  after(() => process.off("warning", listener));

  const ways = [
    ["on the calling thread", () => Reranker.load(url, { workers: 0 })],
    ["in a worker", () => Reranker.load(url, { workers: 1 })],
    ["in two workers", () => Reranker.load(url, { workers: 2 })],
    ["of a shared reranker", () => Reranker.shared(url, { workers: 1 })],
    ["with a score cache", () => Reranker.load(url, { workers: 1, scoreCache: { maxBytes: 1e5 } })],
  ];
  for (const [where, load] of ways) {
    test(`${where} give the same results as one, and Node does not warn of a leak`, async () => {
      const reranker = await load();
      const collection = await reranker.prepare(documents);
      const { results } = await reranker.rerank({ query, documents });
      const calls = Array.from({ length: 40 }, (_, at) =>
        at % 2 === 0 ? reranker.rerank({ query, documents, deadlineMs: 60_000 }) : lastOf(collection.rank(query, { deadlineMs: 60_000 })),
      );
      for (const response of await Promise.all(calls)) assert.deepEqual(response.results, results);
      reranker.dispose();
      await new Promise(setImmediate); // Warnings are emitted in a later task.
      assert.deepEqual(warnings, []);
    });
  }
});
