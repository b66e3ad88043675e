import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { codeSpans, markdownFiles, read } from "../support/docs/markdown.js";
import { inRepository } from "../support/paths.js";

describe("tests/fixtures/README.md", () => {
  const guide = read("tests/fixtures/README.md");

  /** The fixtures in a folder: those of its folders that have expected scores. */
  function fixturesIn(folder) {
    return readdirSync(inRepository(folder))
      .filter((name) => existsSync(inRepository(join(folder, name, "expected.json"))))
      .sort();
  }

  /** The first cells of the table after a heading. */
  function firstCells(heading) {
    const [, section] = guide.split(`\n${heading}\n`);
    const table = section.split("\n\n").find((block) => block.trimStart().startsWith("| folder"));
    return table
      .trim()
      .split("\n")
      .slice(2)
      .flatMap((row) => codeSpans(row.split("|")[1]))
      .sort();
  }

  for (const [heading, folder] of [
    ["## BERT", "tests/fixtures"],
    ["## Other families, in `families/`", "tests/fixtures/families"],
  ]) {
    test(`says for every fixture of ${folder}, and for no other, why it exists`, () => {
      const fixtures = fixturesIn(folder);
      assert.ok(fixtures.length >= 12, fixtures.join());
      assert.deepEqual(firstCells(heading), fixtures);
    });
  }

  test("names every other file that the scripts write", () => {
    for (const name of readdirSync(inRepository("tests/fixtures")).filter((name) => name.endsWith(".json") || name.startsWith("make_"))) {
      assert.ok(guide.includes(name), name);
    }
  });
});

describe("the model card", () => {
  const card = read("models/default/README.md");

  test("has the front matter by which the Hub sorts models", () => {
    const [, matter] = /^---\n(.*?)\n---\n/s.exec(card);
    const value = (key) => new RegExp(`^${key}: (.+)$`, "m").exec(matter)?.[1];
    assert.equal(value("pipeline_tag"), "text-ranking");
    for (const key of ["license", "library_name", "base_model"]) assert.ok(value(key), key);
    for (const key of ["language", "tags"]) assert.match(matter, new RegExp(`^${key}:\\n- `, "m"), key);
  });
});

describe("every page", () => {
  test("has only JavaScript that Node can parse", () => {
    const blocks = markdownFiles().flatMap((path) => [...read(path).matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => [path, code]));
    assert.ok(blocks.length >= 6, `${blocks.length} blocks`);
    for (const [path, code] of blocks) {
      const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--check", "-"], {
        input: code,
        encoding: "utf8",
        timeout: 60_000,
      });
      assert.equal(status, 0, `${path}: ${stderr}`);
    }
  });

  test("has one title, and lines of at most 140 characters outside tables and code", () => {
    for (const path of markdownFiles()) {
      const text = read(path).replace(/^```.*?^```/gms, "");
      assert.equal(text.match(/^# /gm)?.length, 1, path);
      for (const line of text.split("\n")) {
        const exempt = /^(?:\||!\[|<!--| {4})/.test(line) || codeSpans(line).some((span) => span.length > 60);
        assert.ok(exempt || line.length <= 140, `${path}: ${line}`);
      }
    }
  });
});
