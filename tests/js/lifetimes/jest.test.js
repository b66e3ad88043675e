// The package in a test of Jest, which is installed for it. realms.test.js tests what Jest does to it in every run.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { installPacked } from "../support/package/packed.js";
import { installTools, runTool } from "../support/package/tools.js";
import { unlessLong } from "../support/skips.js";

test("a test of Jest loads the default model in workers and ranks", { skip: unlessLong("installs Jest") }, () => {
  const project = installPacked();
  try {
    installTools(project.folder, "jest@30.5.0");
    writeFileSync(
      join(project.folder, "rank.test.js"),
      `
import { Reranker } from "ranklet";
test("ranks", async () => {
  const reranker = await Reranker.load();
  const [best] = await reranker.rank("What is the capital of France?", ["Berlin is the capital of Germany.", "Paris is the capital of France."]);
  expect(best.corpus_id).toBe(1);
  expect(reranker.info.backend.workers).toBeGreaterThan(0);
  expect(reranker.info.warnings).toEqual([]);
  reranker.dispose();
}, 60000);
`,
    );
    const { status, output } = runTool(project.folder, "jest", [], { env: { NODE_OPTIONS: "--experimental-vm-modules" } });
    assert.equal(status, 0, output);
    assert.match(output, /Tests: +1 passed, 1 total/);
  } finally {
    project.remove();
  }
});
