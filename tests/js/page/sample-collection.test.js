import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { keywordIndex } from "../../../www/search/keywords.js";
import { dist, root } from "../support/paths.js";

const { passages, queries } = JSON.parse(readFileSync(new URL("www/documents/collection.json", root), "utf8"));

describe("the page's collection", () => {
  test("the page's collection has about 150 passages on twelve subjects", () => {
    assert.ok(passages.length >= 148 && passages.length <= 156, `${passages.length} passages`);
    assert.equal(new Set(passages.map(({ id }) => id)).size, passages.length, "ids are unique");
    for (const passage of passages) {
      assert.deepEqual(Object.keys(passage), ["id", "subject", "text"]);
      assert.match(passage.id, /^[a-z]+(-[a-z]+)*$/);
      const words = passage.text.split(" ").length;
      assert.ok(words >= 20 && words <= 45, `${passage.id}: ${words} words`);
    }
    const subjects = count(passages);
    assert.equal(subjects.size, 12);
    for (const [subject, size] of subjects) assert.ok(size === 12 || size === 13, `${subject}: ${size} passages`);
  });

  test("the page's collection has queries on every subject, each with one right passage", () => {
    assert.equal(new Set(queries.map(({ query }) => query)).size, queries.length, "queries are unique");
    for (const query of queries) {
      assert.deepEqual(Object.keys(query), ["query", "answer"]);
      assert.ok(
        passages.some(({ id }) => id === query.answer),
        `${query.answer} is a passage`,
      );
    }
    const queriesBySubject = count(queries.map(({ answer }) => passages.find(({ id }) => id === answer)));
    assert.equal(queriesBySubject.size, 12);
    for (const [subject, size] of queriesBySubject) assert.ok(size >= 3, `${subject}: ${size} queries`);
  });
});

describe("keyword search", () => {
  test("keyword search finds prefixes and misspellings, best first, at most 50", () => {
    const find = keywordIndex([{ text: "gardening" }, { text: "a garden" }, { text: "gardem" }, { text: "the sea" }]);
    const found = find("Where is the garden?");
    assert.equal(found[0].index, 1);
    assert.deepEqual(found.map(({ index }) => index).sort(), [0, 1, 2]);
    for (const [at, { score }] of found.entries()) assert.ok(at === 0 || score <= found[at - 1].score);
    assert.deepEqual(find("where is the"), []);
    assert.equal(keywordIndex(Array(99).fill({ text: "the same" }))("same").length, 50);
  });

  // The smallest mean reciprocal rank of each model.
  for (const [name, model, minRank] of [
    ["the default model", undefined, 0.82],
    ["the small model", "ranklet/small", 0.73],
  ]) {
    test(`${name} ranks the right passages of the page's collection higher than keyword search`, async (t) => {
      const { keywords, ranklet } = await meanRanks(model);
      t.diagnostic(`mean reciprocal rank over ${queries.length} queries: keywords ${keywords.toFixed(2)}, Ranklet ${ranklet.toFixed(2)}`);
      assert.ok(keywords < 0.5 && ranklet >= minRank, `${keywords} by keywords, ${ranklet} by Ranklet`);
    });
  }
});

/** Returns the mean reciprocal rank of the right passages in keyword order and in a model's. */
async function meanRanks(model) {
  const { Reranker } = await import(new URL("index.node.js", dist));
  const reranker = await Reranker.load(model);
  try {
    const find = keywordIndex(passages);
    const missed = [];
    let keywords = 0;
    let ranklet = 0;
    for (const { query, answer } of queries) {
      const hits = find(query).map(({ index }) => passages[index]);
      const { results } = await reranker.rerank({ query, documents: hits });
      const byKeywords = reciprocalRank(hits, answer);
      if (byKeywords === 0) missed.push(query);
      keywords += byKeywords / queries.length;
      ranklet +=
        reciprocalRank(
          results.map(({ index }) => hits[index]),
          answer,
        ) / queries.length;
    }
    assert.deepEqual(missed, [], "keywords find every right passage");
    return { keywords, ranklet };
  } finally {
    reranker.dispose();
  }
}

/** Returns 1 / rank of the passage with this id; 0 if it is not in the list. */
function reciprocalRank(ranked, id) {
  const at = ranked.findIndex((passage) => passage.id === id);
  return at < 0 ? 0 : 1 / (at + 1);
}

/** Counts the passages per subject. */
function count(some) {
  const counts = new Map();
  for (const { subject } of some) counts.set(subject, (counts.get(subject) ?? 0) + 1);
  return counts;
}
