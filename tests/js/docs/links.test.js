import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

import { anchors, markdownFiles, read, withoutCode } from "../support/docs/markdown.js";
import { inRepository } from "../support/paths.js";

/** The targets of a text's links and pictures. */
function targets(text) {
  return [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target);
}

describe("links in the Markdown files of the repository", () => {
  const files = markdownFiles();

  test("the search finds the files that readers start with", () => {
    for (const path of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/js-api.md", "pkg/README.md"]) {
      assert.ok(files.includes(path), path);
    }
  });

  for (const path of files) {
    test(`every relative link and anchor in ${path} has a target`, () => {
      for (const target of targets(read(path)).filter((target) => !/^[a-z]+:/.test(target))) {
        const [file, anchor] = target.split("#");
        const linked = file === "" ? path : normalize(join(dirname(path), file));
        assert.ok(!linked.startsWith(".."), `${target} leaves the repository`);
        assert.ok(existsSync(inRepository(linked)), `${target}: there is no ${linked}`);
        if (anchor === undefined) continue;
        assert.ok(statSync(inRepository(linked)).isFile(), `${target}: a folder has no anchors`);
        assert.ok(anchors(read(linked)).includes(anchor), `${target}: ${linked} has no heading for #${anchor}`);
      }
    });
  }
});

describe("the npm package's README", () => {
  test("has no relative links, because npm has no repository to resolve them in", () => {
    assert.deepEqual(
      targets(read("pkg/README.md")).filter((target) => !target.startsWith("https:")),
      [],
    );
  });
});
