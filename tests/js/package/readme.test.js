import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { runNode } from "../support/children/child.js";
import { installPacked } from "../support/package/packed.js";
import { inRepository } from "../support/paths.js";

/** The JavaScript blocks of a page that `<!-- test: js -->` marks. */
function markedBlocks(path) {
  const page = readFileSync(inRepository(path), "utf8");
  return [...page.matchAll(/<!-- test: js -->\s*```js\n(.*?)```/gs)].map(([, code]) => code);
}

describe("the examples of the documentation", () => {
  let project;
  before(() => (project = installPacked()));
  after(() => project.remove());

  for (const path of ["README.md", "pkg/README.md"]) {
    test(`${path} puts the Paris sentence first`, () => {
      const blocks = markedBlocks(path);
      assert.ok(blocks.length > 0, `${path} has a js block after <!-- test: js -->`);
      for (const [at, code] of blocks.entries()) {
        const script = join(project.folder, `example-${at}.js`);
        writeFileSync(script, code);
        const { status, stdout, stderr } = runNode(script, project.folder);
        assert.equal(stderr, "");
        assert.equal(status, 0);
        assert.match(stdout.split("\n")[0], /Paris is the capital of France/);
      }
    });
  }
});
