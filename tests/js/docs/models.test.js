import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { codeSpans, read } from "../support/docs/markdown.js";

const guide = read("docs/models.md");
const [, files] = guide.split("\n## Files\n");
const list = JSON.parse(read("src/checkpoint/model_files.json"));

describe("docs/models.md", () => {
  test("lists exactly the files that make a model", () => {
    const table = files.split("\n\n").find((block) => block.trimStart().startsWith("| file"));
    const documented = codeSpans(table).filter((span) => /\.(?:json|jinja|txt)$/.test(span));
    assert.deepEqual([...new Set(documented)].sort(), list.files.flatMap(({ name, replacements = [] }) => [name, ...replacements]).sort());
  });

  test("names every form of weights, in the order in which they are looked for", () => {
    const [, order] = /Weights are taken from(.*?)\.\s+Tensors/s.exec(files);
    const names = list.weights.map(({ name }) => name);
    assert.deepEqual(
      codeSpans(order).filter((span) => names.includes(span)),
      names,
    );
  });

  test("names every kind of module", () => {
    for (const { name } of list.modules.kinds) assert.match(files, new RegExp(`\\b${name}\\b`), name);
  });

  test("has a row for every model type", () => {
    const [table] = guide.split("\n## Files\n");
    const types = [...read("src/checkpoint/config/families.rs").matchAll(/model_type: "([^"]+)"/g)].map(([, type]) => type);
    assert.ok(types.length >= 11, types.join());
    for (const type of types) assert.ok(codeSpans(table).includes(type), type);
  });
});
