// Reranker.shared has one engine for equal models, on one thread and in several tabs. These tests say which models are equal.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { dist } from "../support/paths.js";

const { sharingKey } = await import(new URL("shared/sharing-key.js", dist));
const { locate } = await import(new URL("load/locate.js", dist));
const { readLoadOptions } = await import(new URL("load/load-options.js", dist));
const { node } = await import(new URL("platform/node.js", dist));

function keyOf(source, options) {
  const checked = readLoadOptions(node, options);
  return sharingKey(locate(node, source, checked.hub, false), checked);
}
const id = "some-org/a.model";
const files = { "config.json": new Uint8Array(2), "tokenizer.json": new URL("https://a.example/tokenizer.json") };

describe("models are equal, also in other tabs,", () => {
  const equal = {
    "with the same Hub id": [[id], [id]],
    "with the same folder": [["https://a.example/model"], [new URL("https://a.example/model/")]],
    "with the same options in another order": [
      [id, { dtype: "q8", maxLength: 8, cache: { name: "n", maxBytes: 9 } }],
      [id, { cache: { max_bytes: 9, name: "n" }, max_length: 8, dtype: "q8" }],
    ],
    "with other listeners and signals": [[id, { onProgress: () => {}, signal: new AbortController().signal }], [id]],
  };
  for (const [what, [a, b]] of Object.entries(equal)) {
    test(what, () => {
      assert.equal(keyOf(...a).text, keyOf(...b).text);
      assert.equal(keyOf(...a).isPortable, true);
    });
  }
});

describe("models differ", () => {
  const others = {
    "with another Hub id": ["some-org/other"],
    "with another revision": [id, { revision: "v2" }],
    "with another server": [id, { baseUrl: "https://hub.example" }],
    "with another token": [id, { token: "hf_x" }],
    "with another option": [id, { dtype: "f32" }],
    "with the id's folder as a URL": ["https://huggingface.co/some-org/a.model/resolve/main/"],
  };
  for (const [what, other] of Object.entries(others)) test(what, () => assert.notEqual(keyOf(...other).text, keyOf(id).text));
});

test("contents of files are equal if they are the same object, and never in another tab", () => {
  assert.equal(keyOf(files).text, keyOf({ ...files }).text);
  assert.equal(keyOf(files).isPortable, false);
  assert.notEqual(keyOf(files).text, keyOf({ ...files, "config.json": new Uint8Array(2) }).text);
});

test("the bytes of a Buffer are not written as JSON, which takes minutes and gigabytes for a large model", () => {
  const bytes = Object.assign(Buffer.alloc(2), { toJSON: () => assert.fail("toJSON was called") });
  assert.equal(keyOf({ "model.safetensors": bytes }).isPortable, false);
});
