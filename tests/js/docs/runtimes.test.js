// The table of runtimes says what the tests in tests/js/runtimes show.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { columns, runtimes } from "../runtimes/runtimes.js";
import { read, tableAfter } from "../support/docs/markdown.js";

describe("the tables of runtimes", () => {
  test("docs/bundlers.md has a cell for each test of a runtime, and no other", () => {
    const text = read("docs/bundlers.md");
    assert.ok(text.includes(`<!-- runtimes -->\n| runtime | ${Object.keys(columns).join(" | ")} |\n`));
    const expected = Object.entries(runtimes).map(([name, runtime]) => [name, ...Object.values(columns).map((cell) => cell(runtime))]);
    assert.deepEqual(tableAfter(text, "<!-- runtimes -->"), expected);
  });
});
