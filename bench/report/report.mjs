// The report as a page of Markdown.
import { median } from "../measure/statistics.mjs";
import { ratio, targetSize } from "./targets.mjs";

/** What people are told to expect, shape by shape. */
const tutorialTimes = { "minilm-l6": "800 ms", "minilm-l12": "1.5 s", "bert-base": "1.8 s", "bert-large": "3.5 s" };

/** The same of GPUs. */
const tutorialGpuTimes = { "minilm-l6": "45 ms, 120 ms", "minilm-l12": "85 ms, 220 ms", "bert-base": "95 ms, 250 ms", "bert-large": "180 ms, 480 ms" };

/** The whole report. */
export function markdown(report) {
  return [
    "# Ranklet's bench",
    report.quick ? "**A quick run: it shows that everything works. Its figures mean nothing.**" : undefined,
    conditions(report),
    targets(report),
    report.speed && speed(report),
    report.no_vnni && noVnni(report),
    report.shapes && shapes(report),
    report.load && load(report),
    report.memory && memory(report),
    report.flat && flat(report),
    report.families && families(report),
    report.gpu && gpu(report),
    report.speed && agreement(report),
    notes(report),
  ]
    .filter((part) => part !== undefined)
    .join("\n\n")
    .concat("\n");
}

function conditions({ when, machine, versions, models, texts }) {
  const vnni = machine.avx_vnni ? "with AVX-VNNI" : "without AVX-VNNI";
  return [
    `- ${when}; ${machine.processor}, ${machine.cores} logical processors (V8 sees them ${vnni}), ${gigabytes(machine.memory_bytes)} of memory, ${machine.system}`,
    `- ${Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ")}`,
    `- Texts: ${texts}. New documents each repetition; in every repetition all engines score the same ones, one engine after the other.`,
    `- Times are from texts to scores, tokenising included, on warmed-up engines: medians, and the least and the most in brackets. Ratios are medians of the ratios of each repetition.`,
    `- Models: ${models.map(({ name, layers, hidden, weights }) => `${name} (${layers} layers of ${hidden}; ${weights})`).join(", ")}. The peers' ONNX files are exported from the same weights.`,
  ].join("\n");
}

function targets(report) {
  const size = targetSize(report);
  const rows = report.targets.map(({ target, wanted, measured, met }) => [
    target,
    wanted,
    measured === undefined ? "not measured" : measured.toFixed(2),
    met === undefined ? "-" : met ? "met" : "**not met**",
  ]);
  const of = size === undefined ? "" : ` of ${size.documents} documents`;
  return section(`Targets${of}`, table(["target", "wanted", "measured", ""], rows));
}

function speed({ speed: { sizes }, engines }) {
  const ids = [...new Set(sizes.flatMap((size) => size.engines.map(({ id }) => id)))];
  const rows = ids.map((id) => {
    const { label, where, dtype, threads } = engines[id];
    return [where, label, dtype, threads, ...sizes.map((size) => time(size.engines.find((engine) => engine.id === id)?.ms))];
  });
  const files = sizes
    .at(-1)
    .engines.filter(({ id }) => engines[id].where === "Chromium")
    .map(({ id, backend }) => `${engines[id].label.replace(/, (sorted|one).*/, "")} ${backend.file}`);
  const heads = sizes.map(({ documents, tokens }) => `${number(documents)} documents, ${range(tokens)} tokens`);
  const text = `WebAssembly files: ${[...new Set(files)].join("; ")}.`;
  return section("Speed", text, table(["where", "engine", "weights", "threads", ...heads], rows));
}

function noVnni({ no_vnni: size, machine, engines }) {
  const text = machine.avx_vnni
    ? `Chromium with \`--js-flags=--no-enable-avx-vnni\`; V8 says the instructions are ${machine.avx_vnni_switched_off ? "**still on**" : "off"}. `
    : "This processor has no AVX-VNNI, so this is another run of the same. ";
  const rows = size.engines.map(({ id, ms }) => [engines[id].label, time(ms), ratioText(ratio(size, "chromium/transformers.js-sorted/q8/1", id))]);
  return section("Without AVX-VNNI", `${text}q8, one thread, ${size.documents} documents.`, table(["engine", "time", "transformers.js' time over it"], rows));
}

function shapes({ shapes, engines }) {
  const ids = [...new Set(shapes.flatMap((shape) => shape.engines.map(({ id }) => id)))];
  const rows = ids.map((id) => {
    const { label, where, dtype } = engines[id];
    return [where, label, dtype, ...shapes.map((shape) => time(shape.engines.find((engine) => engine.id === id)?.ms))];
  });
  rows.push(["", "a well-known lesson's CPU column, 100 documents", "", ...shapes.map(({ model }) => tutorialTimes[model])]);
  const text = `Two threads, ${shapes[0].documents} documents of ${range(shapes.flatMap(({ tokens }) => tokens))} tokens. The lesson has its own machine and texts.`;
  return section("Shapes", text, table(["where", "engine", "weights", ...shapes.map(({ model }) => model)], rows));
}

function load({ load, engines }) {
  const rows = load.map(({ id, cold_ms, warm_ms, bytes, warm_bytes }) => [
    engines[id].label.split(",")[0],
    milliseconds(cold_ms),
    warm_ms.length === 0 ? "-" : time(warm_ms),
    bytes === undefined ? "-" : megabytes(bytes),
    warm_bytes === undefined ? "-" : megabytes(warm_bytes),
  ]);
  const text =
    "From the import of the library to the first score, q8, one thread; every library with its own cache and a profile on disk, " +
    "files from this machine. Bytes are as they go over the wire, all but the weights compressed with gzip.";
  return section("Load", text, table(["engine", "empty caches", "full caches, a new page", "downloaded", "downloaded again"], rows));
}

function families({ families, engines }) {
  const rows = families.flatMap(({ model, bytes, documents, engines: measured }) =>
    measured.map(({ id, load_ms, ms, tokens, predicted_bytes, loaded_bytes, peak_bytes, process_bytes }) => [
      model,
      megabytes(bytes),
      engines[id].where,
      engines[id].dtype,
      `${(load_ms / 1000).toFixed(1)} s`,
      ...[predicted_bytes, loaded_bytes, peak_bytes, process_bytes].map(megabytesOrDash),
      (tokens / documents).toFixed(0),
      (documents / (ms / 1000)).toFixed(1),
    ]),
  );
  const text =
    "Random weights in f16, one thread. Peaks natively are the process's, in Chromium WebAssembly's and then the process's. The prediction is for pairs of the model's greatest length.";
  const head = ["shape", "file", "where", "dtype", "load", "predicted", "loaded", "peak", "process", "tokens each", "documents/s"];
  return section("Families", text, table(head, rows));
}

function gpu({ gpu: { adapter, hardware, pages, native }, engines }) {
  const inPages = pages.engines.map(({ id, ms }) => [engines[id].label, engines[id].dtype, time(ms), ratioText(ratio(pages, id, "chromium/ranklet-webgpu/f32/1"))]);
  const shapes = native.flatMap(({ model, engines: measured }) => [
    ...measured.map(({ id, ms }) => [model, engines[id].label, engines[id].dtype, time(ms)]),
    ...(hardware ? [[model, "a well-known lesson: A100, T4", "", tutorialGpuTimes[model]]] : []),
  ]);
  const kernels = native.flatMap(({ model, kernels }) =>
    Object.entries(kernels).flatMap(([dtype, lines]) =>
      (lines ?? []).map(({ kernel, runs, ms, flops }) => [model, dtype, kernel, runs, `${ms.toFixed(3)} ms`, flops > 0 ? (flops / ms / 1e6).toFixed(0) : ""]),
    ),
  );
  return [
    section(`WebGPU in Chromium, ${pages.documents} documents`, hardware ? "On the GPU of this machine." : "On SwiftShader, a program on the CPU.", table(["engine", "weights", "time", "over Ranklet's"], inPages)),
    section(`WebGPU natively, ${native[0]?.documents} documents`, `On ${adapter}.`, table(["shape", "engine", "weights", "time"], shapes)),
    section("Where its time goes", "All documents as one batch; times of timestamp queries around each kernel.", table(["shape", "weights", "kernel", "runs", "time", "GFLOP/s"], kernels)),
  ].join("\n\n");
}

function memory({ memory, models, engines }) {
  const rows = memory.engines.map(({ id, loaded_wasm_bytes, wasm_bytes, process_bytes }) => {
    const { label, where, dtype, threads } = engines[id];
    const place = where === "native" ? "native" : threads === 0 ? "Chromium, on the page's thread" : where;
    return [place, label, dtype, megabytesOrDash(loaded_wasm_bytes), megabytesOrDash(wasm_bytes), megabytesOrDash(process_bytes)];
  });
  const weights = Object.entries(models[0].bytes).map(([name, bytes]) => `${name} ${megabytes(bytes)}`);
  const text = `One thread, ${memory.documents} documents of ${number(memory.tokens)} tokens; weights: ${weights.join(", ")}.`;
  return section("Peak memory", text, table(["where", "engine", "weights", "wasm, loaded", "wasm, peak", "process, peak"], rows));
}

function flat({ flat, engines }) {
  const ids = [...new Set(flat.sizes.flatMap((size) => size.engines.map(({ id }) => id)))];
  const rows = ids.map((id) => [
    `${engines[id].label}, ${engines[id].where}`,
    ...flat.sizes.map((size) => {
      const ms = size.engines.find((engine) => engine.id === id)?.ms;
      return ms === undefined ? "-" : `${(median(ms) / size.documents).toFixed(2)} ms`;
    }),
  ]);
  const text = `Milliseconds per document, all of ${flat.tokens_each} tokens with the query; q8, one thread.`;
  return section("Time per document", text, table(["engine", ...flat.sizes.map(({ documents }) => `${number(documents)} documents`)], rows));
}

function agreement({ speed: { agreement }, engines }) {
  if (agreement.length === 0) return section("Agreement", "Not measured: transformers.js gave no f32 scores.");
  const rows = agreement.map(({ id, tau, max_difference }) => {
    const { label, where, dtype, threads } = engines[id];
    return [where, label, dtype, threads, tau.toFixed(4), max_difference.toExponential(1)];
  });
  const text = `${agreement[0].documents} documents of one query: Kendall's tau with transformers.js in f32, and the largest difference of logits.`;
  return section("Agreement of rankings", text, table(["where", "engine", "weights", "threads", "tau", "difference"], rows));
}

function notes({ notes }) {
  if (notes.length === 0) return undefined;
  const lines = notes.map(({ section, id, error, unsupported }) => `- ${section}, ${id}: ${unsupported ? "not in this build" : "**failed**"}: ${error.split("\n")[0]}`);
  return section("Left out", lines.join("\n"));
}

function section(title, ...parts) {
  return [`## ${title}`, ...parts].join("\n\n");
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

function time(ms) {
  if (ms === undefined) return "-";
  return `${milliseconds(median(ms))} (${milliseconds(Math.min(...ms))}, ${milliseconds(Math.max(...ms))})`;
}

function milliseconds(ms) {
  if (ms === undefined) return "-";
  return ms < 100 ? `${ms.toFixed(1)} ms` : ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const ratioText = (value) => (value === undefined ? "-" : value.toFixed(2));
const megabytesOrDash = (bytes) => (bytes === undefined ? "-" : megabytes(bytes));
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(0)} GB`;
const number = (value) => value.toLocaleString("en");

function range(values) {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return min === max ? number(min) : `${number(min)} to ${number(max)}`;
}
