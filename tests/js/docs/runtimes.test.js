// docs/bundlers.md and README.md say what the tests in tests/js/runtimes and tests/js/frameworks show.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";

import { frameworks } from "../frameworks/frameworks.js";
import { columns, groups, runtimes } from "../runtimes/runtimes.js";
import { read, tableAfter } from "../support/docs/markdown.js";

describe("the tables of runtimes", () => {
  test("docs/bundlers.md has a cell for each test of a runtime, and no other", () => {
    const text = read("docs/bundlers.md");
    assert.ok(text.includes(`<!-- runtimes -->\n| runtime | ${Object.keys(columns).join(" | ")} |\n`));
    const expected = Object.entries(runtimes).map(([name, runtime]) => [name, ...Object.values(columns).map((cell) => cell(runtime))]);
    assert.deepEqual(tableAfter(text, "<!-- runtimes -->"), expected);
  });

  test("README.md's groups have every runtime, and the range of each group's figures", () => {
    const range = (values) => [...new Set([Math.min(...values), Math.max(...values)])].join(" to ");
    const expected = Object.entries(groups).map(([group, names]) => {
      const of = (key) => range(names.map((name) => runtimes[name][key]));
      return [group, "yes", `about ${of("memory")} MB`, `about ${of("firstScore")} s`];
    });
    assert.deepEqual(tableAfter(read("README.md"), "cargo add ranklet      # Rust\n```\n"), expected);
    assert.deepEqual(Object.values(groups).flat().sort(), Object.keys(runtimes).sort());
  });

  test("docs/bundlers.md has every framework that is tested, and the configuration that it needs", () => {
    const text = read("docs/bundlers.md");
    const blocks = [...text.matchAll(/^```json\n(.*?)^```/gms)].map(([, json]) => JSON.parse(json));
    for (const [name, { line }] of Object.entries(frameworks)) {
      const [framework] = name.split(/,| with /);
      assert.ok(text.includes(framework.replace(/ \d+$/, "")), framework);
      for (const documented of line?.documented ?? [])
        assert.ok(
          blocks.some((block) => isDeepStrictEqual(block, documented)),
          JSON.stringify(documented),
        );
    }
  });
});
