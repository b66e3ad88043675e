import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { runNode } from "../support/children/processes.js";
import { read } from "../support/docs/markdown.js";
import { installPacked } from "../support/package/packed.js";

let project;
before(() => (project = installPacked()));
after(() => project.remove());

for (const [page, examples] of [
  ["applications", 5],
  ["explain", 4],
]) {
  test(`the examples of docs/${page}.md are one program, which prints what the page says`, () => checkExamples(page, examples));
}

/** Asserts that a page has some examples, which are one program, and print what the page says. */
function checkExamples(page, examples) {
  const guide = read(`docs/${page}.md`);
  const program = [...guide.matchAll(/<!-- test: js -->\s*```js\n(.*?)```/gs)].map(([, code]) => code);
  const printed = [...guide.matchAll(/<!-- test: js -->\s*```js\n.*?```\s*```text\n(.*?)```/gs)].map(([, text]) => text);
  assert.ok(program.length >= examples && printed.length === program.length);
  const script = join(project.folder, `${page}.js`);
  writeFileSync(script, `${program.join("\n")}\nreranker.dispose();\n`);
  const { status, stdout, stderr } = runNode(script, project.folder);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.equal(stdout, printed.join(""));
}
