import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { ContextualCompressionRetriever } from "@langchain/classic/retrievers/contextual_compression";
import { MemoryVectorStore } from "@langchain/classic/vectorstores/memory";
import { Document } from "@langchain/core/documents";
import { FakeEmbeddings } from "@langchain/core/utils/testing";

import { dist } from "../../support/paths.js";
import { question } from "../../support/servers/rerank-handler.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { RankletRerank } = await import(new URL("adapters/langchain.js", dist));
const { query, best } = question;
const documents = question.documents.map(
  (pageContent, index) => new Document({ id: `d${index}`, pageContent, metadata: { source: `${index}.txt` } }),
);

let reranker, expected;
before(async () => {
  reranker = await Reranker.load(undefined, { workers: 1 });
  expected = (await reranker.rerank({ query, documents: question.documents })).results;
});
after(() => reranker.dispose());

describe("a compressor", () => {
  test("returns copies of the best documents with their scores", async () => {
    const compressed = await new RankletRerank({ reranker, topN: 2 }).compressDocuments(documents, query);
    assert.deepEqual(
      compressed.map(({ id, pageContent, metadata }) => ({ id, pageContent, metadata })),
      expected.slice(0, 2).map(({ index, score }) => ({
        id: `d${index}`,
        pageContent: documents[index].pageContent,
        metadata: { source: `${index}.txt`, relevanceScore: score },
      })),
    );
    assert.ok(compressed.every((document) => document instanceof Document && !documents.includes(document)));
    assert.deepEqual(documents[best].metadata, { source: `${best}.txt` });
  });

  test("works in a retriever", async () => {
    const store = await MemoryVectorStore.fromDocuments(documents, new FakeEmbeddings());
    const retriever = new ContextualCompressionRetriever({
      baseCompressor: new RankletRerank({ reranker, topN: 1 }),
      baseRetriever: store.asRetriever(3),
    });
    const [found, ...others] = await retriever.invoke(query);
    assert.equal(found.pageContent, documents[best].pageContent);
    assert.equal(found.metadata.relevanceScore, expected[0].score);
    assert.deepEqual(others, []);
  });

  test("has no documents for no documents, and loads no model for them", async () => {
    assert.deepEqual(
      await new RankletRerank({ model: "no/model", loadOptions: { localFilesOnly: true, cache: false } }).compressDocuments([], query),
      [],
    );
  });

  test("stops at its signal", async () => {
    const signal = AbortSignal.abort("enough");
    await assert.rejects(new RankletRerank({ reranker, signal }).compressDocuments(documents, query), { code: "aborted", cause: "enough" });
  });

  test("stops at its signal while the model loads", { timeout: 120_000 }, async () => {
    const controller = new AbortController();
    const compressor = new RankletRerank({ reranker: new Promise(() => {}), signal: controller.signal });
    setTimeout(() => controller.abort("enough"), 20);
    await assert.rejects(compressor.compressDocuments(documents, query), { code: "aborted", cause: "enough" });
  });

  test("ranks texts like CohereRerank, with the scores that are wanted", async () => {
    const rows = await new RankletRerank({ reranker, scores: "raw" }).rerank(question.documents, query);
    const raw = (await reranker.rerank({ query, documents: question.documents, scores: "raw" })).results;
    assert.deepEqual(
      rows,
      raw.map(({ index, score }) => ({ index, relevanceScore: score })),
    );
  });

  test("returns as many rows as the call wants, and refuses the other options of CohereRerank", async () => {
    const compressor = new RankletRerank({ reranker, topN: 2 });
    assert.equal((await compressor.rerank(question.documents, query)).length, 2);
    assert.equal((await compressor.rerank(question.documents, query, { topN: 1 })).length, 1);
    await assert.rejects(compressor.rerank(question.documents, query, { maxChunksPerDoc: 1 }), {
      code: "input",
      message: /unknown option "maxChunksPerDoc"/,
    });
  });

  test("refuses unknown options and wrong values when it is created", () => {
    const wrong = [
      [{ top: 1 }, /^RankletRerank: unknown option "top"/],
      [{ topN: 0 }, /^RankletRerank: topN must be a whole number of 1 or more, not 0$/],
      [{ signal: {} }, /^RankletRerank: signal must be an AbortSignal, not an object$/],
      [{ model: "a/b" }, /^reranker is loaded already/],
    ];
    for (const [options, message] of wrong) assert.throws(() => new RankletRerank({ reranker, ...options }), { code: "input", message });
  });
});
