import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { assertClose } from "../support/assert.js";
import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { runNode } from "../support/children/processes.js";
import { startWorker } from "../support/children/workerd.js";
import { seed } from "../support/models/fixtures.js";
import { installPacked } from "../support/package/packed.js";
import { startDemo } from "../support/servers/demo.js";

// The maximum effect of 8-bit activations on these logits. bits.test.js tests that all runtimes give the same bits, and
// tests/score/seed.rs tests the f32 arithmetic.
const tolerance = 0.05;
const { query, documents, logits, scores } = seed();

/** The code that every runtime runs: a ranking and logits. */
const example = `
  const { results } = await reranker.rerank({ query, documents });
  const logits = await reranker.score(documents.map((document) => [query, document]), { scores: "raw" });
  return { results, logits: [...logits] };`;

function checkRanking(results) {
  assert.equal(documents[results[0].index], "Paris is the capital of France and its largest city.");
  const inOrder = documents.map((_, index) => results.find((result) => result.index === index).score);
  assertClose(inOrder, scores.flat(), tolerance, "scores");
}

function check(answer) {
  checkRanking(answer.results);
  assertClose(answer.logits, logits.flat(), tolerance, "logits");
}

describe("the seed example", () => {
  let project;
  before(() => (project = installPacked()));
  after(() => project.remove());

  for (const source of ["", "model"]) {
    test(`the seed example runs in Node from the packed package with load(${source})`, () => {
      const script = join(project.folder, "seed.js");
      writeFileSync(
        script,
        `
import { Reranker } from "ranklet";
import model from "ranklet/default-model";
const query = ${JSON.stringify(query)};
const documents = ${JSON.stringify(documents)};
const reranker = await Reranker.load(${source});
const run = async () => {${example}
};
console.log(JSON.stringify(await run()));
reranker.dispose();
`,
      );
      const { status, stdout, stderr } = runNode(script, project.folder);
      assert.equal(stderr, "");
      assert.equal(status, 0);
      check(JSON.parse(stdout));
    });
  }

  test("the seed example runs in workerd from the packed package", async () => {
    const worker = await startWorker(
      project.folder,
      ({ ranklet, model }) => `
import { Reranker } from "${ranklet}";
import model from "${model}";
const query = ${JSON.stringify(query)};
const documents = ${JSON.stringify(documents)};
let loading;
async function run() {
  const reranker = await (loading ??= Reranker.load(model));${example}
}
export default { fetch: async () => Response.json(await run()) };
`,
    );
    try {
      const ask = async () => {
        const response = await fetch(worker.url);
        assert.equal(response.status, 200, worker.errors());
        return response.json();
      };
      check(await ask());
      // Later requests use the reranker that the first one loaded, and they overlap.
      for (const later of await Promise.all([ask(), ask(), ask()])) check(later);
      assert.equal(worker.errors(), "");
    } finally {
      await worker.stop();
    }
  });

  test("the seed example, typed into the demo page, gives the same scores and causes no request", async () => {
    const demo = await startDemo();
    const browser = await launchChromium();
    try {
      const { page, problems, requests, open } = await openDemo(browser, demo.url);
      await open();
      await page.getByText("Ready:").waitFor();
      await page.click("#choose-documents");
      await page.fill("#documents-text", documents.join("\n"));
      await page.getByRole("button", { name: "Use these documents" }).click();
      const before = requests.length;
      await page.context().setOffline(true);
      await page.fill("#query", query);
      await page.getByText(`Ranked ${documents.length} passages`).first().waitFor();
      const items = await page
        .locator("#ranklet-list li")
        .evaluateAll((found) => found.map((item) => ["text", "score"].map((name) => item.querySelector(`.${name}`).textContent)));
      checkRanking(items.map(([text, score]) => ({ index: documents.indexOf(text), score: Number(score) })));
      assert.equal(await page.textContent("#requests-after-load"), "0");
      assert.equal(requests.length, before, requests.slice(before).join());
      assert.ok(
        requests.every((url) => url.startsWith(demo.url)),
        requests.join(),
      );
      assert.deepEqual(problems, []);
    } finally {
      await browser.close();
      await demo.stop();
    }
  });
});
