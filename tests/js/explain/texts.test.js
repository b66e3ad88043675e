// `documentTexts`: the texts in which highlights, spans and explained units have their positions.
import assert from "node:assert/strict";
import { test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { documentTexts, Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const long = Array.from({ length: 60 }, (_, at) => `Sentence ${at} is about ${at % 7} people in a city.`).join(" ");
const page = { title: "Rivers", body: "Three million people live there. It rains.", author: { name: "Ann" } };

test("highlights, spans and units are parts of the texts of documentTexts", async () => {
  const reranker = await Reranker.load(url, { workers: 0 });
  const query = "how many people live there";
  const documents = [{ ...page, body: long }, page];
  const fields = { rankFields: ["title", "body", "author.name"] };
  const texts = documentTexts(documents, fields);
  const options = { ...fields, longDocuments: "chunk" };
  const { results } = await reranker.rerank({ query, documents, ...options, highlights: 2, scores: "raw" });
  const rawScore = async (text) => (await reranker.score([[query, text]], { scores: "raw" }))[0];
  for (const { index, score, span, highlights } of results) {
    const part = ({ start, end }) => texts[index].slice(start, end);
    assert.equal(await rawScore(part(span)), score);
    assert.equal(highlights.length, 2);
    for (const highlight of highlights) assert.equal(await rawScore(part(highlight)), highlight.score);
    const { units } = await reranker.explain(query, documents[index], options);
    assert.deepEqual(units.map(part), texts[index].match(/author\.name|\w+/g));
  }
  reranker.dispose();
});

test("documentTexts returns the text of each document", () => {
  assert.deepEqual(documentTexts([]), []);
  assert.deepEqual(documentTexts(["a", { text: "b" }, { title: "c" }]), ["a", "b", "c"]);
  assert.deepEqual(documentTexts([page, { title: "Lakes" }], { rankFields: ["title", "author.name"] }), [
    "title: Rivers\nauthor.name: Ann",
    "title: Lakes",
  ]);
  assert.deepEqual(documentTexts([page], { rank_fields: ["author"], structured: "lines" }), ["author.name: Ann"]);
});

for (const [args, message] of [
  [["a"], /documentTexts: documents must be an array, not "a"/],
  [[[1]], /documents\[0\] must be a string or an object with a text, not 1/],
  [[["a", {}]], /documents\[1\] has no string `text`/],
  [[[page], { rankFields: ["name"] }], /no document has a field of rankFields: "name"/],
  [[[page], { structured: "xml" }], /documentTexts: structured must be "yaml" or "lines", not "xml"/],
  [[[page], { longDocuments: "chunk" }], /documentTexts: unknown option "longDocuments"/],
]) {
  test(`documentTexts refuses ${JSON.stringify(args).slice(0, 80)}`, () =>
    rejectsWith("input", message, async () => documentTexts(...args)));
}
