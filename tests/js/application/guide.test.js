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

test("the examples of docs/applications.md are one program, which prints what the page says", () => {
  const guide = read("docs/applications.md");
  const program = [...guide.matchAll(/<!-- test: js -->\s*```js\n(.*?)```/gs)].map(([, code]) => code);
  const printed = [...guide.matchAll(/```text\n(.*?)```/gs)].map(([, text]) => text);
  assert.ok(program.length >= 5 && printed.length === program.length);
  const script = join(project.folder, "applications.js");
  writeFileSync(script, `${program.join("\n")}\nreranker.dispose();\n`);
  const { status, stdout, stderr } = runNode(script, project.folder);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.equal(stdout, printed.join(""));
});
