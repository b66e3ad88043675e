import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "How many people live in Berlin?";
const documents = ["Bread and butter.", "Berlin has about three and a half million people.", "A long way to go."];

let reranker;
before(async () => (reranker = await Reranker.load(url, { workers: 0 })));
after(() => reranker.dispose());

describe("spellings of options", () => {
  test("rank takes the options of sentence-transformers and of the usual snippets", async () => {
    const expected = await reranker.rank(query, documents, { topK: 2, returnDocuments: true });
    assert.equal(expected.length, 2);
    assert.equal(expected[0].text, documents[expected[0].corpus_id]);
    for (const options of [
      { top_k: 2, return_documents: true },
      { top_n: 2, return_documents: true },
      { topN: 2, returnDocuments: true },
    ]) {
      assert.deepEqual(await reranker.rank(query, documents, options), expected);
    }
  });

  test("rerank takes the options of the bodies of Cohere, Jina and Voyage", async () => {
    const rows = documents.map((text, id) => ({ id, text }));
    const expected = await reranker.rerank({
      query,
      documents: rows,
      topN: 2,
      returnDocuments: true,
      rankFields: ["id", "text"],
      maxTokensPerDocument: 5,
    });
    const cohere = { query, documents: rows, top_n: 2, return_documents: true, rank_fields: ["id", "text"], max_tokens_per_doc: 5 };
    const others = { ...cohere, top_n: undefined, top_k: 2, max_tokens_per_doc: undefined, max_tokens_per_document: 5 };
    for (const options of [cohere, others]) {
      const { results, usage } = await reranker.rerank(options);
      assert.deepEqual(results, expected.results);
      assert.deepEqual(usage, expected.usage);
    }
  });

  test("the other calls take snake_case names too", async () => {
    const collection = await reranker.prepare([{ text: "a" }, { text: "b" }], { rank_fields: ["text"], long_documents: "chunk" });
    assert.equal((await lastOf(collection.rank("a", { top_k: 1 }))).results.length, 1);
    collection.dispose();
    await rejectsWith("input", /load: cache is for a Hub id/, () => Reranker.load(url, { cache_dir: "models" }));
    const short = await Reranker.load(url, { max_length: 12, workers: 0 });
    assert.equal(short.info.maxLength, 12);
    short.dispose();
  });

  test("two spellings of an option must have the same value", async () => {
    const message = /rank: topK and top_k are the same option and have different values; give one of them/;
    await rejectsWith("input", message, () => reranker.rank(query, documents, { topK: 1, top_k: 2 }));
    await rejectsWith("input", /top_n and topK are the same option/, () => reranker.rerank({ query, documents, top_n: 1, topK: 2 }));
    await rejectsWith("input", /rankFields and rank_fields/, () =>
      reranker.rerank({ query, documents: [{}], rankFields: ["a"], rank_fields: ["b"] }),
    );
    for (const options of [
      { topK: 1, top_k: 1 },
      { topK: undefined, top_k: 1 },
      { top_n: 1, topK: undefined },
    ]) {
      assert.equal((await reranker.rank(query, documents, options)).length, 1);
    }
    const twice = { query, documents: [{ a: "x" }], rankFields: ["a"], rank_fields: ["a"] };
    assert.equal((await reranker.rerank(twice)).results.length, 1);
  });

  test("a wrong value is named by the caller's spelling", () =>
    rejectsWith("input", /rank: top_k must be a whole number/, () => reranker.rank(query, documents, { top_k: 0 })));

  for (const [name, suggested] of [
    ["tokK", "topK"],
    ["TopK", "topK"],
    ["top-k", "topK"],
    ["returndocument", "returnDocuments"],
    ["return_docs", undefined],
    ["x".repeat(1e6), undefined],
  ]) {
    test(`the error for the unknown option ${name.slice(0, 20)} ${suggested === undefined ? "lists the known ones" : `suggests ${suggested}`}`, () => {
      const words = suggested === undefined ? '"; known are' : `"; did you mean "${suggested}"\\? Known are`;
      return rejectsWith(
        "input",
        new RegExp(`^rank: unknown option ".*${words} scores, signal, onProgress, topK, minScore, returnDocuments$`),
        () => reranker.rank(query, documents, { [name]: 1 }),
      );
    });
  }
});

describe("options of other libraries that cannot be applied", () => {
  const refused = [
    ["load", { trust_remote_code: true }, /load: trust_remote_code is not available: no code of a model is ever run; leave it out/],
    ["load", { progress_callback: () => {} }, /progress_callback is not available: use onProgress/],
    ["load", { quantized: true }, /quantized is not available: use dtype/],
    ["load", { threads: 4 }, /load: threads is not available: use workers/],
    ["rerank", { batch_size: 32 }, /rerank: batch_size is not available: .*leave it out/],
    ["rerank", { threshold: 0.5 }, /threshold is not available: use minScore/],
    ["rerank", { normalize: true }, /normalize is not available: use scores/],
    ["rerank", { limit: 3 }, /limit is not available: use topN/],
    ["rerank", { max_length: 256 }, /max_length is not available: give maxLength to Reranker\.load/],
    ["rerank", { applySoftmax: true }, /applySoftmax is not available: compute it from the logits/],
    ["stream", { limit: 3 }, /stream: limit is not available: the best results are known at the end/],
    ["stream", { threshold: 0.5 }, /use minScore/],
    ["score", { batchSize: 32 }, /score: batchSize is not available: .*leave it out/],
    ["rank", { limit: 3 }, /rank: limit is not available: use topK/],
    ["collection.rank", { limit: 3 }, /collection\.rank: limit is not available: use topN/],
    ["rerank", { model: "rerank-v3.5" }, /rerank: model is not available: .*Reranker\.load/],
    ["rerank", { max_chunks_per_doc: 10 }, /max_chunks_per_doc is not available: use longDocuments: "chunk"/],
    ["rerank", { truncation: true }, /truncation is not available: .*leave it out/],
    ["rank", { batch_size: 32 }, /rank: batch_size is not available: .*leave it out/],
    ["rank", { show_progress_bar: false }, /use onProgress/],
    ["rank", { activation_fn: null }, /use scores/],
    ["rank", { convert_to_tensor: true }, /leave it out/],
    ["rank", { instruction: "Judge." }, /put the instruction into the query/],
  ];
  const calls = {
    load: (options) => Reranker.load(url, options),
    rank: (options) => reranker.rank(query, documents, options),
    rerank: (options) => reranker.rerank({ query, documents, ...options }),
    stream: async (options) => reranker.stream({ query, documents, ...options }),
    score: (options) => reranker.score([[query, documents[0]]], options),
    "collection.rank": async (options) => (await reranker.prepare(documents)).rank(query, options),
  };
  for (const [call, options, message] of refused) {
    test(`${call} answers the option ${Object.keys(options)} with the code unsupported and what to do instead`, () =>
      rejectsWith("unsupported", message, () => calls[call](options)));
  }

  test("such an option counts as absent if it is undefined", async () => {
    assert.equal((await reranker.rank(query, documents, { batch_size: undefined })).length, 3);
  });
});
