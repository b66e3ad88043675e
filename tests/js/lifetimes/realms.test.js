// Test runners such as Jest run the package in a node:vm context, whose classes are not those of messages from workers and of
// errors of node:fs.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const child = fileURLToPath(new URL("../support/children/realm-child.js", import.meta.url));

test("in another realm, models load from the package and from a folder, in workers and on the thread, and rank", () => {
  const { url } = checkpoint((labels) => labels === 1);
  const args = ["--experimental-vm-modules", "--no-warnings", child, new URL("index.node.js", dist).href, url.href];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 0, stderr);
  const answers = JSON.parse(stdout);
  assert.equal(answers.length, 4);
  for (const { ranked, picked } of answers) {
    assert.equal(ranked.length, 2);
    assert.deepEqual(picked, [1]);
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.deepEqual(answers[2], answers[3]);
});

test("a realm without random numbers is refused with a message that says so", () => {
  const args = ["--experimental-vm-modules", "--no-warnings", child, new URL("index.node.js", dist).href, "none", "crypto"];
  const { stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 120_000 });
  assert.equal(status, 1);
  assert.match(stderr, /RankletError: this runtime has no crypto\.getRandomValues/);
});
