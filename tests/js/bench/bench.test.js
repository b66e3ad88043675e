import assert from "node:assert/strict";
import { test } from "node:test";

import { kendallTau, median } from "../../../bench/measure/statistics.mjs";
import { speedChart } from "../../../bench/report/chart.mjs";
import { markdown } from "../../../bench/report/report.mjs";
import { speedReport } from "../support/bench-report.js";

test("the median of an even number of values is the mean of the middle two", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test("Kendall's tau is 1 for the same order, -1 for the reverse, and between for others", () => {
  assert.equal(kendallTau([1, 2, 3], [10, 20, 30]), 1);
  assert.equal(kendallTau([1, 2, 3], [3, 2, 1]), -1);
  assert.ok(Math.abs(kendallTau([1, 2, 3], [1, 3, 2]) - 1 / 3) < 1e-12);
});

test("a target's ratio is the median of the repetitions' ratios", () => {
  const [first, second] = speedReport().targets;
  // 5, 3 and 100: not the ratio of the medians, which is 6.
  assert.deepEqual([first.measured, first.met], [5, true]);
  assert.deepEqual([second.measured, second.met], [undefined, undefined]);
});

test("the report names failed engines and targets that were not measured", () => {
  const text = markdown(speedReport({ notes: [{ section: "speed", id: "native/onnxruntime/q8/1", error: "it is gone", unsupported: false }] }));
  assert.match(text, /transformers\.js \| at least 4 \| 5\.00 \| met/);
  assert.match(text, /not measured/);
  assert.match(text, /native\/onnxruntime\/q8\/1: \*\*failed\*\*: it is gone/);
});

test("the speed chart has a bar per engine and escapes special characters", () => {
  const svg = speedChart(speedReport());
  assert.equal(svg.match(/<rect/g).length, 2);
  assert.match(svg, /&#60;x&#62;/);
});

test("the report of two builds has the ratio of their medians and says whether the scores are the same bits", () => {
  const times = { where: "native", dtype: "q8", threads: 1, baseline_ms: [30, 20, 10], current_ms: [10, 10, 10], ratio: 2 };
  const comparisons = [{ ...times, same_bits: true, max_difference: 0 }, { ...times, dtype: "f32", same_bits: false, max_difference: 0.001 }];
  const text = markdown(speedReport({ versions: { documents: 6, tokens: [7], model: "a model", comparisons } }));
  assert.match(text, /\| native \| q8 \| 1 \| 20\.0 ms .* \| 10\.0 ms .* \| 2\.000 \| the same bits \|/);
  assert.match(text, /\| native \| f32 \| 1 \| .* \| differ by up to 1\.0e-3 \|/);
});
