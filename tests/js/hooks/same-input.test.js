// Hooks compare inputs by their content. A component creates new objects in each render, and these must not start a new ranking.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { dist } from "../support/paths.js";

const { isSameInput } = await import(new URL("hooks/same-input.js", dist));

/** A document as LangChain's splitters return it. */
class Document {
  constructor(pageContent, line = 1) {
    Object.assign(this, { pageContent, metadata: { loc: { lines: { from: line, to: 2 } } } });
  }
}

/** An object whose state cannot be seen. */
class Opaque {
  #state = {};
  get state() {
    return this.#state;
  }
}

function cyclic(text) {
  const parent = { text, children: [] };
  parent.children.push({ text: "child", parent });
  return parent;
}

const ofDocument = (document) => ({ reranker: undefined, query: "q", documents: [document], options: { topN: 1 } });

describe("an input that is written anew is the same", () => {
  const same = {
    "a text": () => "a",
    "an object with deep fields": () => ({ a: { b: { c: { d: { e: { f: { g: ["h"] } } } } } } }),
    "an instance of a class": () => new Document("a"),
    "a date": () => ({ text: "a", date: new Date(5) }),
    "an object without a prototype": () => Object.assign(Object.create(null), { text: "a" }),
    "a document with a cycle": () => cyclic("a"),
  };
  for (const [name, create] of Object.entries(same)) {
    test(name, () => assert.equal(isSameInput(ofDocument(create()), ofDocument(create())), true));
  }

  test("options with a callback and a URL", () => {
    const create = () => ({ model: new URL("https://example.com/model"), options: { fetch: () => {}, cache: { name: "n" } } });
    assert.equal(isSameInput(create(), create()), true);
  });
});

describe("an input that differs is another one", () => {
  const others = {
    "another text": ["a", "b"],
    "a deep field": [new Document("a", 1), new Document("a", 2)],
    "another class": [new Document("a"), { ...new Document("a") }],
    "another date": [{ date: new Date(5) }, { date: new Date(6) }],
    "a missing field": [{ a: 1 }, { a: 1, b: undefined }],
    "a field next to a cycle": [cyclic("a"), cyclic("b")],
    "bytes, which are compared by identity": [{ bytes: new Uint8Array(2) }, { bytes: new Uint8Array(2) }],
  };
  for (const [name, [a, b]] of Object.entries(others)) {
    test(name, () => assert.equal(isSameInput(ofDocument(a), ofDocument(b)), false));
  }

  test("a reranker, also one with equal fields", () => {
    const create = () => ({ ...ofDocument("a"), reranker: Object.assign(new Opaque(), { name: "mine" }) });
    assert.equal(isSameInput(create(), create()), false);
  });
});
