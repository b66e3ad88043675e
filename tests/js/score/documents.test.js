import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { runInNewContext } from "node:vm";

import { rejectsWith } from "../support/assert.js";
import { collect, lastOf } from "../support/collect.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist, root } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const query = "How many people live in Berlin?";
const text = "Berlin has about three and a half million people.";

let reranker;
before(async () => (reranker = await Reranker.load(url, { workers: 0 })));
after(() => reranker.dispose());

const results = async (documents, options) => (await reranker.rerank({ query, documents, ...options })).results;
/** Asserts that documents are scored as these texts, by every call that takes documents. */
async function scoredAs(documents, texts, options) {
  const expected = await results(texts);
  assert.deepEqual(await results(documents, options), expected);
  const streamed = (await collect(reranker.stream({ query, documents, ...options }))).flatMap((part) => part.results);
  const byIndex = (list) => list.toSorted((a, b) => a.index - b.index);
  assert.deepEqual(byIndex(streamed), byIndex(expected));
  const collection = await reranker.prepare(documents, options);
  assert.deepEqual((await lastOf(collection.rank(query))).results, expected);
  collection.dispose();
}

describe("the text of a document", () => {
  class Node {
    get text() {
      return text;
    }
  }
  const documents = {
    "LangChain's in JavaScript": { pageContent: text, metadata: { source: "a.txt" }, id: "1" },
    "LangChain's in Python": { page_content: text, metadata: {}, type: "Document" },
    "Haystack's": { id: "1", content: text, meta: {}, score: null },
    "Pyserini's": { id: "1", contents: text },
    "a body": { title: "Berlin", body: text },
    "a passage": { passage: text },
    "a snippet": { title: "Berlin", snippet: text },
    "only a title": { title: text },
    "a text that is null beside a content": { text: null, content: text },
    "a list as content beside a title": { content: [{ type: "text" }], title: text },
    "a getter of a class": new Node(),
  };
  for (const [name, document] of Object.entries(documents)) {
    test(`a document with its text in a field of another name is scored as this text: ${name}`, () => scoredAs([document], [text]));
  }

  const cases = JSON.parse(readFileSync(new URL("tests/fixtures/document_texts.json", root), "utf8"));
  test("documents have the same texts as in ranklet rank and ranklet serve", async () => {
    const read = cases.filter(({ text }) => text !== null);
    await scoredAs(
      read.map(({ document }) => document),
      read.map(({ text }) => text),
    );
    for (const { document } of cases.filter(({ text }) => text === null)) {
      await rejectsWith("input", /documents\[1\] (has no string|must be a string)/, () => results([text, document]));
    }
  });

  test("the field text precedes all others, also if it is empty", () => scoredAs([{ text: "", content: text, title: text }], [""]));

  test("rank returns the text of such documents", async () => {
    assert.deepEqual((await reranker.rank(query, [{ pageContent: text }], { returnDocuments: true }))[0].text, text);
  });

  test("the error for a document without a text names the fields that count and rankFields", () =>
    rejectsWith(
      "input",
      /documents\[1\] has no string `text`, nor any of pageContent, .*title; name the fields to score in rankFields/,
      () => results([text, { name: "Berlin", text: 7 }]),
    ));
});

describe("rankFields", () => {
  test("a single field is scored as it is", async () => {
    await scoredAs([{ summary: text }, { summary: 1237 }], [text, "1237"], { rankFields: ["summary"] });
    await scoredAs([{ text }], [text], { rankFields: ["text"] });
  });

  test("a document that lacks a field, or has null there, is scored by its other fields", () =>
    scoredAs(
      [
        { title: "Berlin", text },
        { title: null, text },
        { text },
        { title: undefined, text: "Bread." },
        { title: "Bonn", text: null },
        { title: [], text },
      ],
      [`title: Berlin\ntext: ${text}`, `text: ${text}`, `text: ${text}`, "text: Bread.", "title: Bonn", `text: ${text}`],
      { rankFields: ["title", "text"] },
    ));

  test("a document without any of the fields is scored as the empty text if another document has one", async () => {
    await scoredAs([{ summary: text }, { summary: null }, {}], [text, "", ""], { rankFields: ["summary"] });
    await scoredAs([{ title: "a", text }, { other: 1 }], [`title: a\ntext: ${text}`, ""], { rankFields: ["title", "text"] });
    await scoredAs([{ summary: null }], [""], { rankFields: ["summary"] });
  });

  test("fields that no document has are an error, because their names are probably wrong", async () => {
    const documents = [{ title: text }, { title: "b" }];
    const rankFields = ["titel", "toString"];
    const message = /no document has a field of rankFields: "titel", "toString"/;
    await rejectsWith("input", message, () => results(documents, { rankFields }));
    await rejectsWith("input", message, () => reranker.prepare(documents, { rankFields }));
    await rejectsWith("input", message, () => collect(reranker.stream({ query, documents: new Set(documents), rankFields })));
    assert.deepEqual(await results([], { rankFields }), []);
  });

  test("arrays are joined with commas and dates are written in ISO format", () =>
    scoredAs(
      [
        { tags: ["city", null, 7, true], at: new Date(Date.UTC(1990, 9, 3)), n: 12n },
        { tags: [new Date(0)], at: runInNewContext("new Date(0)"), n: 1 },
      ],
      ["tags: city, 7, true\nat: 1990-10-03T00:00:00.000Z\nn: 12", "tags: 1970-01-01T00:00:00.000Z\nat: 1970-01-01T00:00:00.000Z\nn: 1"],
      { rankFields: ["tags", "at", "n"] },
    ));

  for (const [value, kind] of [
    [{}, "an object"],
    [new Date(NaN), "an object"],
    [() => {}, "a function"],
    [[["a"]], "an array with other items"],
    [[{}], "an array with other items"],
  ]) {
    test(`a field with another value is an error that names the document and the field: ${kind}`, () =>
      rejectsWith("input", new RegExp(`documents\\[1\\] field "a" of rankFields must be .*, not ${kind}$`), () =>
        results([{ a: "x" }, { a: value }], { rankFields: ["a"] }),
      ));
  }
});
