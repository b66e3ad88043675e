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

test("hybrid search, as docs/applications.md has it, ranks the hits of keywords and of embeddings, each once", () => {
  const [, code] = /<!-- test: hybrid -->\s*```js\n(.*?)```/s.exec(read("docs/applications.md"));
  const script = join(project.folder, "hybrid.js");
  // Embeddings of two topics, and keywords that find one document that the embeddings find too, and one of the others.
  writeFileSync(
    script,
    `
import { Reranker } from "ranklet";
const documents = ["The model X-17 needs two batteries.", "Paris is the capital of France.", ...Array(60).fill("Bees make honey.")];
const reranker = await Reranker.load();
const embed = async (texts) => texts.map((text) => (/capital|seat/.test(text) ? [1, 0] : [0, 1]));
const keywords = { search: () => [{ id: 0, score: 2 }, { id: 1, score: 1 }] };
${code}
const best = await search("Where is the seat of the French government?");
console.log(best.length, best[0].index, new Set(best.map(({ index }) => index)).size);
console.log((await search("How many batteries does the X-17 need?"))[0].index);
reranker.dispose();
`,
  );
  const { status, stdout, stderr } = runNode(script, project.folder);
  assert.equal(stderr, "");
  assert.equal(status, 0);
  assert.equal(stdout, "10 1 10\n0\n");
});

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
