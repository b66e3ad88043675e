// Each cell of docs/bundlers.md's table of runtimes, with the packed package. tests/js/docs/runtimes.test.js compares the table.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { installPacked } from "../support/package/packed.js";
import { unlessLong, unlessProc } from "../support/skips.js";
import { bestIndex, refusals } from "./probe.js";
import { columns, runtimes } from "./runtimes.js";

/** Max time in milliseconds to the first score, and from an abort to its error, on a busy machine. */
const maxFirstScoreMs = 60_000;
const maxCancelMs = 10_000;
/** Max ratio of the measured memory to the table's. */
const maxMemoryRatio = 1.5;

/** Tests of the columns. */
const tests = {
  loads: ({ report }, { exits }) => {
    assert.deepEqual(report.warnings, []);
    assert.equal(report.workers > 0, exits !== "starts no workers");
  },
  ranks: ({ report }) => assert.equal(report.best, bestIndex),
  cancels: ({ report }) => {
    assert.equal(report.canceled.code, "aborted");
    assert.ok(report.canceled.ms < maxCancelMs, `${report.canceled.ms} ms`);
    assert.equal(report.bestAfterwards, bestIndex);
  },
  "bad input": ({ report }) => assert.deepEqual(report.refused, refusals),
  exits: ({ afterDispose, remaining }) => {
    assert.equal(afterDispose, "disposed");
    assert.equal(remaining, 0);
  },
  memory: ({ memoryBytes }, { memory }, t) => {
    const skip = unlessProc("smaps_rollup");
    // A process of Node, Deno or Bun measures its memory itself.
    if (skip && Number.isNaN(memoryBytes)) return t.skip(skip);
    t.diagnostic(`${(memoryBytes / 1e6).toFixed(0)} MB`);
    assert.ok(memoryBytes > 20e6 && memoryBytes < memory * 1e6 * maxMemoryRatio, `${memoryBytes} bytes, about ${memory} MB in the table`);
  },
  "first score": ({ report }, { firstScore }, t) => {
    t.diagnostic(`${(report.firstScoreMs / 1000).toFixed(2)} s`);
    assert.ok(report.firstScoreMs < maxFirstScoreMs, `${report.firstScoreMs} ms, about ${firstScore} s in the table`);
  },
};

describe("the packed package", () => {
  let project;
  before(() => (project = installPacked()));
  after(() => project.remove());

  for (const [name, runtime] of Object.entries(runtimes)) {
    describe(`in ${name}`, { skip: runtime.skip || (runtime.long && unlessLong("installs the tools")), timeout: 600_000 }, () => {
      let outcome;
      before(async () => (outcome = await runtime.run(project)));

      for (const column of Object.keys(columns)) test(`${name}: ${column}`, (t) => tests[column](outcome, runtime, t));
    });
  }
});
