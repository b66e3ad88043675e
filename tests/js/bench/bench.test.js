import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

import { pipelineMs, stageShares } from "../../../bench/measure/pipeline.mjs";
import { descendantsMs } from "../../../bench/measure/processor-time.mjs";
import { kendallTau, median, quantile, quartiles } from "../../../bench/measure/statistics.mjs";
import { benchConfig, readOptions } from "../../../bench/options.mjs";
import { speedChart } from "../../../bench/report/chart.mjs";
import { markdown } from "../../../bench/report/report.mjs";
import { speedReport } from "../support/bench-report.js";
import { unlessProc } from "../support/skips.js";

test("the median of an even number of values is the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("Kendall's tau is 1 for the same order, -1 for the reverse, and between for others", () => {
  assert.equal(kendallTau([1, 2, 3], [10, 20, 30]), 1);
  assert.equal(kendallTau([1, 2, 3], [3, 2, 1]), -1);
  assert.ok(Math.abs(kendallTau([1, 2, 3], [1, 3, 2]) - 1 / 3) < 1e-12);
});

test("a chain of workers takes as long as its slowest part, and the way of one micro-batch through the others", () => {
  assert.equal(pipelineMs([[3, 5]]), 8);
  assert.equal(pipelineMs(Array(10).fill([3, 5])), 3 + 50);
  assert.equal(pipelineMs(Array(10).fill([5, 3])), 50 + 3);
  assert.equal(pipelineMs(Array(10).fill([4, 4, 4])), 4 * 12);
});

test("parts of equal layers have equal shares of the time, and the last layer little", () => {
  const shares = stageShares({ layers: 5, hidden: 768, intermediate: 3072 }, [6]);
  assert.ok(Math.abs(shares[0] - shares[1]) < 0.1 && shares[0] < shares[1], `${shares}`);
  assert.ok(Math.abs(shares[0] + shares[1] - 1) < 1e-12);
});

test("a target's ratio is the median of the repetitions' ratios", () => {
  const [first, second] = speedReport().targets;
  // 5, 3 and 100: not the ratio of the medians, which is 6.
  assert.deepEqual([first.measured, first.met], [5, true]);
  assert.deepEqual([second.measured, second.met], [undefined, undefined]);
});

test("the report names failed engines and targets that were not measured", () => {
  const text = markdown(
    speedReport({ notes: [{ section: "speed", id: "native/onnxruntime/q8/1", error: "it is gone", unsupported: false }] }),
  );
  assert.match(text, /transformers\.js \| at least 4 \| 5\.00 \| met/);
  assert.match(text, /not measured/);
  assert.match(text, /native\/onnxruntime\/q8\/1: \*\*failed\*\*: it is gone/);
});

test("the speed chart has a bar per engine and escapes special characters", () => {
  const svg = speedChart(speedReport());
  assert.equal(svg.match(/<rect/g).length, 2);
  assert.match(svg, /&#60;x&#62;/);
});

test("the quartiles are the medians of both halves", () => {
  assert.deepEqual(quartiles([4, 1, 3, 2]), [1.5, 3.5]);
  assert.deepEqual(quartiles([5, 1, 3]), [2, 4]);
  assert.deepEqual(quartiles([7]), [7, 7]);
  assert.deepEqual(
    [0.5, 0.95, 1].map((share) => quantile([3, 1, 2], share)),
    [2, 3, 3],
  );
});

test("the report of two builds has the ratio of the repetitions with its quartiles and says whether the scores are the same bits", () => {
  const times = {
    what: "score",
    where: "native",
    dtype: "q8",
    threads: 1,
    baseline: { ms: [30, 20, 10], processor_ms: [30, 30, 30] },
    current: { ms: [10, 10, 10], processor_ms: [10, 10, 20] },
  };
  const comparisons = [
    { ...times, same_bits: true, max_difference: 0 },
    { ...times, dtype: "f32", same_bits: false, max_difference: 0.001 },
    { ...times, what: "type", where: "Chromium", same_bits: true },
    { ...times, what: "load", where: "Node", current: { ms: [10, 10, 10], processor_ms: [undefined, undefined, undefined] } },
  ];
  const text = markdown(
    speedReport({ versions: { baseline: "abc, 2026-01-01, Some change", documents: 6, tokens: [7], typed: [4, 60], comparisons } }),
  );
  assert.match(text, /The baseline is abc, 2026-01-01, Some change\./);
  assert.match(
    text,
    /\| 6 documents \| native \| q8 \| 1 \| 20\.0 ms .* \| 10\.0 ms .* \| 2\.000 \(1\.500, 2\.500\) \| 3\.000 \(2\.250, 3\.000\) \| the same bits \|/,
  );
  assert.match(text, /\| native \| f32 \| 1 \| .* \| differ by up to 1\.0e-3 \|/);
  assert.match(
    text,
    /\| a word typed over 4 documents \| Chromium \| .* \| 2\.000 .*\n\| 95 % take at most \| Chromium \| q8 \| 1 \| 30\.0 ms \| 10\.0 ms \| 3\.000 \|/,
  );
  assert.match(text, /\| load to first score \| Node \| q8 \| 1 \| .* \| 2\.000 .* \| - \| {2}\|/);
});

test("--against takes the parts of a comparison, and other runs the sections", () => {
  const { only, parts } = readOptions(["--against", "HEAD~1"]);
  assert.deepEqual([only, parts], [["versions"], ["native", "browser", "node"]]);
  for (const part of ["native", "large"]) assert.deepEqual(readOptions(["--against=HEAD~1", "--only", part]).parts, [part]);
  assert.throws(
    () => readOptions(["--against", "HEAD", "--only", "speed"]),
    /--only takes native, browser, node, large with --against, not speed/,
  );
  assert.throws(() => readOptions(["--only", "native"]), /--only takes speed, .*, not native/);
  assert.throws(() => readOptions(["--against", "HEAD", "--publish"]), /--publish cannot be used with --against/);
  assert.equal(benchConfig(readOptions(["--against", "HEAD", "--repetitions", "3"])).versions.repetitions, 3);
});

test("processor time is that of running descendants", {
  skip: unlessProc("schedstat"),
}, async () => {
  const before = descendantsMs();
  const child = spawn(process.execPath, [
    "-e",
    "const end = Date.now() + 200; while (Date.now() < end); console.log(process.cpuUsage().user / 1000); setInterval(() => {}, 1000)",
  ]);
  try {
    const [output] = await once(child.stdout, "data");
    const spent = descendantsMs() - before;
    assert.ok(spent > 0.8 * Number(output) && spent < 5000, `${spent} ms, and the program counted ${output}`);
  } finally {
    child.kill();
    await once(child, "close");
  }
});
