import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { publish, replaceSection, wrapLines } from "../../../bench/report/published.mjs";
import { sectionNames } from "../../../bench/report/sections.mjs";
import { speedReport } from "../support/bench-report.js";
import { inRepository } from "../support/paths.js";

const page = readFileSync(inRepository("docs/benchmarks.md"), "utf8");
const outside = (text, names) =>
  names.reduce((rest, name) => rest.replace(new RegExp(`(<!-- bench:${name} -->)[^]*(<!-- /bench:${name} -->)`), "$1$2"), text);

test("A published section replaces the text between its markers and nothing else", () => {
  const text = "a\n<!-- bench:load -->\nold $1\n<!-- /bench:load -->\nb\n<!-- bench:flat -->\nkept\n<!-- /bench:flat -->\n";
  const expected = "a\n<!-- bench:load -->\nnew $& $1\n<!-- /bench:load -->\nb\n<!-- bench:flat -->\nkept\n<!-- /bench:flat -->\n";
  assert.equal(replaceSection(text, "load", "new $& $1"), expected);
  assert.equal(replaceSection(expected, "load", "old $1"), text);
});

test("A page without the markers of a section, with two of them, or with them in the wrong order is refused", () => {
  const [start, end] = ["<!-- bench:load -->", "<!-- /bench:load -->"];
  for (const text of ["", start, end, `${start}${start}${end}`, `${start}${end}${end}`]) {
    assert.throws(() => replaceSection(text, "load", "new"), /must have the marker <!-- .?bench:load --> once, not \d times/);
  }
  assert.throws(() => replaceSection(`${end}${start}`, "load", "new"), /must have <!-- bench:load --> before/);
});

test("docs/benchmarks.md has markers for every section of the bench", () => {
  assert.ok(sectionNames.length >= 10);
  for (const name of sectionNames) assert.notEqual(replaceSection(page, name, "new"), page);
});

test("A run that measured speed in Chromium alone changes that section of docs/benchmarks.md alone", () => {
  const published = publish(page, speedReport());
  assert.notEqual(published, page);
  assert.equal(outside(published, ["chromium"]), outside(page, ["chromium"]));
  assert.match(
    published,
    /<!-- bench:chromium -->\n1 December 2026; <x> with AVX-VNNI, 2 logical processors; Chromium 156\.0, transformers\.js 4; Ranklet abc\./,
  );
  assert.match(published, /\| transformers\.js-sorted \| q8 \| 1 \| 60\.0 ms \(50\.0 ms, 1000 ms\) \| 5\.0 \|/);
});

test("The lines of paragraphs are wrapped, and those of tables are not", () => {
  const [words, row] = ["word ".repeat(40).trim(), `| ${"cell | ".repeat(30)}`];
  const lines = wrapLines(`${words}\n\n${row}`).split("\n");
  assert.deepEqual(
    lines.map((line) => line.length),
    [119, 79, 0, row.length],
  );
  assert.equal(lines.slice(0, 2).join(" "), words);
});

test("A section in which an engine failed is not published", () => {
  const notes = [{ section: "speed", id: "chromium/ranklet/q8/2", error: "it is gone", unsupported: false }];
  assert.equal(publish(page, speedReport({ notes })), page);
});
