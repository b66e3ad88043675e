// The package in a test of Jest, which is installed for it. realms.test.js tests what Jest does to it in every run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { installPacked } from "../support/package/packed.js";

test("a test of Jest loads the default model in workers and ranks", { skip: process.env.RANKLET_LONG === undefined }, () => {
  const project = installPacked();
  try {
    const run = (command, args, env = {}) =>
      spawnSync(command, args, { cwd: project.folder, encoding: "utf8", timeout: 300_000, env: { ...process.env, ...env } });
    const installed = run("npm", ["install", "--no-audit", "--no-fund", "jest@30.5.0"]);
    assert.equal(installed.status, 0, installed.stderr);
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
    const { status, stderr } = run("npx", ["--no-install", "jest"], { NODE_OPTIONS: "--experimental-vm-modules" });
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Tests: +1 passed, 1 total/);
  } finally {
    project.remove();
  }
});
