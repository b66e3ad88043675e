// Inputs that a framework or a component gives in an unexpected form.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { runNode } from "../support/children/processes.js";
import { frameworkProject } from "../support/package/framework-project.js";

describe("inputs of hooks", () => {
  let project;
  before(() => (project = frameworkProject()));
  after(() => project?.remove());

  function run(program) {
    const script = join(project.folder, "program.js");
    writeFileSync(script, program);
    const { status, stdout, stderr } = runNode(script, project.folder);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  test("Vue ranks with a reranker in a deep ref, which makes a proxy of it", () => {
    const output = run(`
import { useRanking } from "ranklet/vue";
import { effectScope, isReactive, ref } from "vue";
class Reranker {
  #calls = 0;
  async rerank() { this.#calls++; return { results: [{ index: 0, score: this.#calls }] }; }
}
const reranker = ref();
const ranking = effectScope().run(() => useRanking(reranker, "q", ["a"]));
reranker.value = new Reranker();
await new Promise((done) => setTimeout(done, 50));
console.log(isReactive(reranker.value), ranking.error.value?.message, JSON.stringify(ranking.results.value));`);
    assert.equal(output, 'true undefined [{"index":0,"score":1}]\n');
  });

  test("returnDocuments: undefined is the default of the hooks, and false is not", () => {
    const output = run(`
import { useRanking } from "ranklet/vue";
import { effectScope, ref } from "vue";
const given = [];
const reranker = { async rerank({ returnDocuments }) { given.push(returnDocuments); return { results: [] }; } };
for (const options of [undefined, {}, { returnDocuments: undefined }, { returnDocuments: false }])
  effectScope().run(() => useRanking(ref(reranker), "q", ["a"], options));
await new Promise((done) => setTimeout(done, 50));
console.log(...given);`);
    assert.equal(output, "true true true false\n");
  });

  const reactProgram = (call) => `
import { useRanking, useReranker } from "ranklet/react";
import { createElement, useState } from "react";
import { renderToString } from "react-dom/server";
function Search() {
  // A second pass, as after a change of state.
  const [rendered, setRendered] = useState(false);
  if (!rendered) setRendered(true);
  ${call}
  return createElement("p", null, "rendered");
}
try {
  console.log(renderToString(createElement(Search)));
} catch ({ code, message }) {
  console.log(code, message);
}`;
  const anew = [
    ["useReranker", "model", 'useReranker({ "model.safetensors": new Uint8Array(2) });'],
    ["useReranker", "options", "useReranker(undefined, { wasm: new Uint8Array(2) });"],
    ["useRanking", "documents", 'useRanking(undefined, "q", [{ text: "a", bytes: new Uint8Array(2) }]);'],
  ];
  for (const [hook, name, call] of anew) {
    test(`React: ${name} that are another input in each render are refused by name`, () => {
      const output = run(reactProgram(call));
      assert.equal(
        output,
        `input ${hook}: ${name} is another input in each render; create it once, outside the component or with useMemo\n`,
      );
    });
  }

  test("React: bytes that are created once are the same input", () => {
    const call = "const [wasm] = useState(() => new Uint8Array(2)); useReranker(undefined, { wasm });";
    assert.match(run(reactProgram(call)), /<p>rendered<\/p>/);
  });
});
