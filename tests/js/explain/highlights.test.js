// `highlights` in rerank, stream and collection.rank: the best sentences of each result.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { collect } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "how many people live in Berlin";
const documents = [
  "The river is long. Three million people live there! It rains.",
  "One sentence only.",
  "",
  "Мост длинный. Живёт много людей. 🦀 E\u0301t\u0303. 東京は都市です。大きいです。",
  " \n  Spaces around it.  \n\nAnd more?  ",
  "Repeated. Repeated. Another one.",
];
/** The sentences of the documents, as a reader finds them. */
const sentences = [
  ["The river is long.", "Three million people live there!", "It rains."],
  ["One sentence only."],
  [],
  ["Мост длинный.", "Живёт много людей.", "🦀 E\u0301t\u0303.", "東京は都市です。", "大きいです。"],
  ["Spaces around it.", "And more?"],
  ["Repeated.", "Repeated.", "Another one."],
];

for (const workers of [0, 1, 2]) {
  describe(`highlights with ${workers} workers`, () => {
    let reranker;
    /** The score of each sentence as a document of its own. */
    let scores;
    before(async () => {
      reranker = await Reranker.load(url, { workers });
      scores = await Promise.all(sentences.map((texts) => reranker.score(texts.map((text) => [query, text]))));
    });
    after(() => reranker.dispose());

    /** The expected highlights of a document. */
    function best(index, count) {
      const all = sentences[index].map((text, at) => ({ text, score: scores[index][at], at }));
      return all
        .sort((a, b) => b.score - a.score || a.at - b.at)
        .slice(0, count)
        .map(({ text, score }) => ({ text, score }));
    }
    const textsOf = ({ index, highlights }, texts = documents) =>
      highlights.map(({ start, end, score }) => ({ text: texts[index].slice(start, end), score }));

    test("each result has its best sentences, with the scores that they have as documents", async () => {
      const plain = await reranker.rerank({ query, documents });
      for (const count of [1, 2, 100]) {
        const { results, usage, timings } = await reranker.rerank({ query, documents, highlights: count });
        assert.deepEqual(
          results.map(({ index, score }) => ({ index, score })),
          plain.results,
        );
        for (const result of results) assert.deepEqual(textsOf(result), best(result.index, count));
        assert.ok(usage.tokens > plain.usage.tokens && usage.documents === documents.length);
        assert.ok(timings.engineMs > 0);
      }
      assert.ok(plain.results.every((result) => !("highlights" in result)));
    });

    test("equal sentences keep their order", async () => {
      const { results } = await reranker.rerank({ query, documents: [documents[5]], highlights: 3 });
      const repeated = results[0].highlights.filter(({ start }) => start < 20);
      assert.deepEqual(
        repeated.map(({ start }) => start),
        [0, 10],
      );
    });

    test("only returned documents are read again", async () => {
      const plain = await reranker.rerank({ query, documents, topN: 1 });
      const { results, usage } = await reranker.rerank({ query, documents, topN: 1, highlights: 1 });
      const alone = await reranker.rerank({ query, documents: sentences[results[0].index] });
      assert.equal(usage.tokens, plain.usage.tokens + (sentences[results[0].index].length > 1 ? alone.usage.tokens : 0));
      assert.deepEqual(textsOf(results[0]), best(results[0].index, 1));
    });

    test("scores, fields, fusion and chunks are those of the call", async () => {
      const [sigmoid] = (await reranker.rerank({ query, documents: documents.slice(0, 1), scores: "sigmoid", highlights: 1 })).results;
      const expected = await reranker.score(
        sentences[0].map((text) => [query, text]),
        { scores: "sigmoid" },
      );
      assert.equal(sigmoid.highlights[0].score, Math.max(...expected));
      const rows = [{ title: "Rain.", body: documents[0] }];
      const [fields] = (await reranker.rerank({ query, documents: rows, rankFields: ["title", "body"], highlights: 9 })).results;
      const scored = `title: Rain.\nbody: ${documents[0]}`;
      assert.deepEqual(
        fields.highlights.map(({ start, end }) => scored.slice(start, end)).sort(),
        ["title: Rain.", `body: ${sentences[0][0]}`, sentences[0][1], sentences[0][2]].sort(),
      );
      const { results } = await reranker.rerank({
        query,
        documents: documents.slice(0, 2),
        fuse: { firstStage: [1, 2], method: "rrf" },
        highlights: 1,
      });
      for (const result of results) assert.deepEqual(textsOf(result), best(result.index, 1));
      const long = `${"Many words are here and there. ".repeat(40)}The last one counts.`;
      const [chunked] = (await reranker.rerank({ query, documents: [long], longDocuments: "chunk", highlights: 100 })).results;
      assert.equal(chunked.highlights.length, 41);
      const [cut] = (await reranker.rerank({ query, documents: [long], highlights: 100 })).results;
      assert.ok(cut.highlights.length < 15 && cut.highlights.every(({ end }) => end < long.length), "what is cut off is not read");
    });

    test("stream and collection.rank have the same highlights", async () => {
      const expected = new Map(
        (await reranker.rerank({ query, documents, highlights: 2 })).results.map((result) => [result.index, result]),
      );
      const parts = await collect(reranker.stream({ query, documents, highlights: 2, returnDocuments: true }));
      const streamed = parts.flatMap(({ results }) => results);
      assert.equal(streamed.length, documents.length);
      for (const { document, ...result } of streamed) {
        assert.deepEqual(result, expected.get(result.index));
        assert.equal(document, documents[result.index]);
      }
      const collection = await reranker.prepare(documents);
      const rankings = await collect(collection.rank(query, { topN: 3, highlights: 2 }));
      const last = rankings.pop();
      assert.deepEqual(last.results, [...expected.values()].slice(0, 3));
      assert.deepEqual([rankings.at(-1).done, last.done, last.total], [6, 6, 6]);
      for (const { results } of rankings) assert.ok(results.every((result) => !("highlights" in result)));
      assert.deepEqual(
        rankings.at(-1).results,
        last.results.map(({ index, score }) => ({ index, score })),
      );
      const candidates = await collect(collection.rank(query, { candidates: [4, 0], highlights: 1 }));
      for (const result of candidates.at(-1).results) assert.deepEqual(textsOf(result), best(result.index, 1));
      collection.dispose();
    });

    test("an abort between the results and their highlights ends the call", async () => {
      const controller = new AbortController();
      const many = Array.from({ length: 40 }, (_, at) => `${at}. ${documents[0]}`);
      const onProgress = ({ done, total }) => done === total && setTimeout(() => controller.abort());
      const call = reranker.rerank({
        query,
        documents: many.map((text) => text.repeat(20)),
        highlights: 3,
        longDocuments: "chunk",
        signal: controller.signal,
        onProgress,
      });
      await assert.rejects(call, { code: "aborted" });
      assert.equal((await reranker.rerank({ query, documents, highlights: 1 })).results.length, documents.length);
    });

    test("after a deadline, results have the highlights that were found in time", async () => {
      const many = Array.from({ length: 60 }, (_, at) => `${at} are here. ${documents[0]}`.repeat(10));
      const options = { query, documents: many, longDocuments: "chunk" };
      let found = 0;
      let hasEnded = false;
      // The time that suits depends on the machine, and on what else it does.
      const { timings } = await reranker.rerank({ ...options, highlights: 2 });
      for (let attempt = 0; attempt < 100 && !(hasEnded && found > 0); attempt++) {
        const deadlineMs = 2 * timings.totalMs * 0.85 ** (attempt % 20);
        const { results, unscored } = await reranker.rerank({ ...options, highlights: 2, deadlineMs });
        if (unscored.length > 0) assert.ok(results.every((result) => !("highlights" in result)));
        else {
          hasEnded ||= results.some((result) => !("highlights" in result));
          found += results.filter(({ highlights }) => highlights?.length === 2).length;
        }
      }
      assert.ok(hasEnded && found > 0, `${found} results with highlights`);
    });
  });
}

test("highlights must be a whole number of 1 or more, in calls that have results", async () => {
  const reranker = await Reranker.load(url, { workers: 0 });
  const collection = await reranker.prepare(documents);
  for (const highlights of [0, -1, 1.5, "2", true, null, NaN]) {
    const message = /highlights must be a whole number of 1 or more/;
    await rejectsWith("input", message, () => reranker.rerank({ query, documents, highlights }));
    await rejectsWith("input", message, async () => reranker.stream({ query, documents, highlights }));
    await rejectsWith("input", message, async () => collection.rank(query, { highlights }));
  }
  await rejectsWith("unsupported", /rank: highlights is not available: use rerank/, () =>
    reranker.rank(query, documents, { highlights: 1 }),
  );
  await rejectsWith("unsupported", /score: highlights is not available/, () => reranker.score([[query, "a"]], { highlights: 1 }));
  reranker.dispose();
});
