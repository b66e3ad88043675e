// Rerankers that are disposed or forgotten leave nothing in memory.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { dist } from "../support/paths.js";
import { isLong, unlessProc } from "../support/skips.js";

const loads = isLong ? 50 : 10;
/** Loads before the first measurement. Deno's threads and allocators grow during the first ten or so. */
const warmUp = 10;
// Deno's allocators keep several buffers of the model's size (24 MB) for a while, up to six on a busy machine: 90 loads took 208
// MB after 10, 232 after 30 to 80, and 281 after 90. A model that is lost at each load takes 240 MB after 10.
const maxMegabytes = { Node: 30, Deno: 190 };

const child = fileURLToPath(new URL("../support/children/lifetime-child.js", import.meta.url));
const deno = fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url));
const runtimes = {
  Node: [process.execPath, ["--expose-gc"]],
  Deno: [deno, ["run", "--allow-all", "--v8-flags=--expose-gc"]],
};

// The child counts its threads in /proc.
describe("memory", { skip: unlessProc("task") }, () => {
  for (const [runtime, [command, args]] of Object.entries(runtimes)) {
    for (const [end, workers] of [
      ["dispose", "auto"],
      ["forget", "auto"],
      ["forget", "0"],
    ]) {
      const how = end === "dispose" ? "disposed" : "forgotten";
      test(`${loads} rerankers that are ${how}, with workers: ${workers}, leave no memory in ${runtime}`, async (t) => {
        const given = [...args, child, end, workers, String(loads), String(warmUp), new URL("index.node.js", dist).href];
        const { stdout } = await promisify(execFile)(command, given, { timeout: 600_000 });
        const { before, after } = JSON.parse(stdout);
        t.diagnostic(
          `${before.megabytes.toFixed(0)} MB and ${before.threads} threads before, ${after.megabytes.toFixed(0)} MB and ${after.threads} after`,
        );
        assert.ok(after.megabytes - before.megabytes < maxMegabytes[runtime], `${before.megabytes} MB before, ${after.megabytes} MB after`);
        assert.ok(after.threads < before.threads + loads, `${after.threads} threads: workers are still alive`);
      });
    }
  }
});
