import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { runNode } from "../support/children/processes.js";
import { read } from "../support/docs/markdown.js";
import { installPacked } from "../support/package/packed.js";

/** The JavaScript blocks of a page that `<!-- test: js -->` marks. */
function markedBlocks(path) {
  return [...read(path).matchAll(/<!-- test: js -->\s*```js\n(.*?)```/gs)].map(([, code]) => code);
}

describe("the examples of the documentation", () => {
  let project;
  before(() => (project = installPacked()));
  after(() => project.remove());

  /** Runs a block as a program in a project that has the package, and returns what it prints. */
  function run(code, at) {
    const script = join(project.folder, `example-${at}.js`);
    writeFileSync(script, code);
    const { status, stdout, stderr } = runNode(script, project.folder);
    assert.equal(stderr, "");
    assert.equal(status, 0);
    return stdout;
  }

  test("README.md's example prints what README.md says, to the digit", () => {
    const blocks = markedBlocks("README.md");
    assert.equal(blocks.length, 1);
    const [, printed] = /This prints:\s*```text\n(.*?)```/s.exec(read("README.md"));
    assert.equal(run(blocks[0], 0), printed);
  });

  test("pkg/README.md's example puts the Paris sentence first", () => {
    const blocks = markedBlocks("pkg/README.md");
    assert.ok(blocks.length > 0, "pkg/README.md has a js block after <!-- test: js -->");
    for (const [at, code] of blocks.entries()) assert.match(run(code, at).split("\n")[0], /Paris is the capital of France/);
  });

  test("README.md has at most 120 lines, of which no JavaScript or Rust example takes more than 13", () => {
    const readme = read("README.md");
    assert.ok(readme.trimEnd().split("\n").length <= 120);
    for (const [, code] of readme.matchAll(/^```(?:js|rust)\n(.*?)^```/gms)) assert.ok(code.trimEnd().split("\n").length <= 13, code);
  });
});
