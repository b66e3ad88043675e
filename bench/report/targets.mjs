// Ranklet's performance targets, as ratios within one run.
import { median } from "../measure/statistics.mjs";
import { packageRatio, startRatio } from "./python.mjs";
import { p99Ratio, rateRatio } from "./serving.mjs";

/**
 * Compares a run with the targets.
 * @returns {{ target: string, wanted: string, measured: number | undefined, met: boolean | undefined }[]} `measured` and
 *   `met` are undefined if an engine of the target was not measured
 */
export function checkTargets(report) {
  const size = targetSize(report);
  const speeds = (over, under) => ratio(size, over, under);
  const ours = "chromium/ranklet";
  const peer = "chromium/transformers.js-sorted";
  return [
    atLeast("Chromium, q8, one thread: times as fast as transformers.js", 4, speeds(`${peer}/q8/1`, `${ours}/q8/1`)),
    atLeast("Chromium, q8, two workers: times as fast as transformers.js with two threads", 4, speeds(`${peer}/q8/2`, `${ours}/q8/2`)),
    atLeast("Chromium, f32, one thread: times as fast as transformers.js", 2.5, speeds(`${peer}/f32/1`, `${ours}/f32/1`)),
    atLeast("Chromium, q8, one thread, simd128 build: times as fast as transformers.js", 2, speeds(`${peer}/q8/1`, `${ours}-simd128/q8/1`)),
    atLeast("Chromium, q8, one thread: times as fast as native onnxruntime int8", 0.8, speeds("native/onnxruntime/q8/1", `${ours}/q8/1`)),
    ...[1, 2].map((threads) =>
      atLeast(
        `native, q8, threads: ${threads}: times as fast as onnxruntime int8`,
        1.5,
        speeds(`native/onnxruntime/q8/${threads}`, `native/ranklet/q8/${threads}`),
      ),
    ),
    ...[1, 2].map((threads) =>
      atLeast(
        `native, f32, threads: ${threads}: times as fast as onnxruntime fp32`,
        1,
        speeds(`native/onnxruntime/f32/${threads}`, `native/ranklet/f32/${threads}`),
      ),
    ),
    atMost("Chromium, q8: time per document with the maximum number of documents, over that with the minimum", 1.1, growth(report.flat)),
    atLeast("Chromium, q8: two workers, times as fast as one", 1.8, speeds(`${ours}/q8/1`, `${ours}/q8/2`)),
    atLeast("Chromium, q8, caches full: import to first score, times as fast as transformers.js", 3, loads(report.load)),
    atMost("Chromium, q8: peak of WebAssembly memory without the arena, over the weights' bytes", 1.6, memory(report)),
    ...gpuTargets(report.gpu),
    ...servingTargets(report.serve?.servers),
    ...pythonTargets(report),
    atLeast("rankings agree, f32: minimum tau of Ranklet with transformers.js in fp32", 0.99, minTau(report, "f32")),
    atLeast("rankings agree, q8: minimum tau of Ranklet with transformers.js in fp32", 0.97, minTau(report, "q8")),
  ];
}

function gpuTargets(gpu) {
  const [ours, theirs] = ["chromium/ranklet-webgpu/f32/1", "chromium/transformers.js-webgpu-sorted/f32/1"];
  return [atLeast("Chromium, WebGPU, f32: times as fast as transformers.js on the same adapter", 2, ratio(gpu?.pages, theirs, ours))];
}

function servingTargets(servers) {
  const peers = [
    ["sentence-transformers", "FastAPI with sentence-transformers", 6],
    ["onnxruntime", "FastAPI with onnxruntime int8", 3],
  ];
  return peers.flatMap(([id, name, times]) => [
    atLeast(`serve, q8: requests per second, over those of ${name}`, times, rateRatio(servers, id)),
    atMost(`serve, q8: p99, over that of ${name}`, 1, p99Ratio(servers, id)),
  ]);
}

function pythonTargets(report) {
  const targets = [
    ["sentence-transformers", "q8", 8],
    ["fastembed", "q8", 3],
    ["sentence-transformers", "f32", 2.5],
  ];
  const speeds = targets.flatMap(([name, dtype, times]) =>
    [1, 2].map((threads) =>
      atLeast(`Python, ${dtype}, threads: ${threads}: times as fast as ${name} in f32`, times, packageRatio(report, name, dtype, threads)),
    ),
  );
  return [...speeds, atLeast("Python, q8: import to first score, times as fast as sentence-transformers", 10, startRatio(report))];
}

/** Returns the size at which targets are checked: 100 documents, or the largest size below it. */
export function targetSize(report) {
  const sizes = report.speed?.sizes.filter(({ documents }) => documents <= 100) ?? [];
  return sizes.at(-1);
}

/** Returns the median over repetitions of one engine's time over another's for the same workload. */
export function ratio(size, over, under) {
  const [a, b] = [over, under].map((id) => size?.engines.find((engine) => engine.id === id)?.ms);
  return a === undefined || b === undefined ? undefined : median(a.map((ms, repetition) => ms / b[repetition]));
}

function growth(flat) {
  const each = flat?.sizes
    .map(({ documents, engines }) => ({ documents, ms: engines.find(({ id }) => id === "chromium/ranklet/q8/1")?.ms }))
    .filter(({ ms }) => ms !== undefined)
    .map(({ documents, ms }) => median(ms) / documents);
  return each === undefined || each.length < 2 ? undefined : each.at(-1) / each[0];
}

function loads(load) {
  const [ours, theirs] = ["ranklet", "transformers.js-sorted"].map((peer) => load?.find(({ id }) => id.includes(`/${peer}/`))?.warm_ms);
  if (!ours?.length || ours.length !== theirs?.length) return undefined;
  return median(theirs.map((ms, repetition) => ms / ours[repetition]));
}

/** Returns the memory after loading over the size of the weights; the arena is allocated later, while documents are scored. */
function memory(report) {
  const ours = report.memory?.engines.find(({ id }) => id === "chromium/ranklet/q8/0");
  return ours === undefined ? undefined : ours.loaded_wasm_bytes / report.models[0].bytes["ranklet q8"];
}

function minTau(report, dtype) {
  const ours = report.speed?.agreement.filter(({ id }) => new RegExp(`/ranklet[^/]*/${dtype}/`).test(id)) ?? [];
  return ours.length === 0 ? undefined : Math.min(...ours.map(({ tau }) => tau));
}

function atLeast(target, bound, value) {
  return verdict(target, `at least ${bound}`, value, value >= bound);
}

function atMost(target, bound, value) {
  return verdict(target, `at most ${bound}`, value, value <= bound);
}

function verdict(target, wanted, value, met) {
  return value === undefined ? { target, wanted, measured: undefined, met: undefined } : { target, wanted, measured: value, met };
}
