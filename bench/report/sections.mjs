// The sections of the report as Markdown, without their headings.
import { median } from "../measure/statistics.mjs";
import { layers } from "./layers.mjs";
import { pythonPackages } from "./python.mjs";
import { serving } from "./serving.mjs";
import { megabytes, millisecondsText, numberText, rangeText, ratioText, table, timeText } from "./tables.mjs";
import { ratio, targetSize } from "./targets.mjs";

/** Times from a well-known tutorial for one query with 100 documents, by shape: on a CPU, and on an A100 and a T4. */
const tutorialTimes = { "minilm-l6": "800 ms", "minilm-l12": "1.5 s", "bert-base": "1.8 s", "bert-large": "3.5 s" };
const tutorialGpuTimes = {
  "minilm-l6": "45 ms, 120 ms",
  "minilm-l12": "85 ms, 220 ms",
  "bert-base": "95 ms, 250 ms",
  "bert-large": "180 ms, 480 ms",
};

/**
 * All sections, in the order of the report. `name` is the name of the markers in docs/benchmarks.md, `part` the field of the
 * report that `render` shows.
 */
const sections = [
  { name: "chromium", title: "Speed in Chromium", part: "speed", render: chromium },
  { name: "native", title: "Speed of native programs", part: "speed", render: native },
  { name: "no-vnni", title: "Chromium without AVX-VNNI", part: "no_vnni", render: noVnni },
  { name: "shapes", title: "Larger models", part: "shapes", render: shapes },
  { name: "load", title: "Loading", part: "load", render: load },
  { name: "memory", title: "Peak memory", part: "memory", render: memory },
  { name: "flat", title: "Time per document", part: "flat", render: flat },
  { name: "families", title: "Model families", part: "families", render: families },
  { name: "layers", title: "Layers over workers", part: "layers", render: layers },
  { name: "gpu", title: "WebGPU", part: "gpu", render: gpu },
  { name: "serve", title: "Servers under load", part: "serve", render: serving },
  { name: "python", title: "Python packages", part: "python", render: pythonPackages },
  { name: "agreement", title: "Agreement of rankings", part: "speed", render: agreement },
];

/** The names of all sections. */
export const sectionNames = sections.map(({ name }) => name);

/**
 * Returns the sections in which a run measured at least one engine.
 * @returns {{ name: string, title: string, part: string, text: string }[]}
 */
export function measuredSections(report) {
  return sections
    .filter(({ part }) => report[part] !== undefined)
    .map(({ name, title, part, render }) => ({ name, title, part, text: render(report) }))
    .filter(({ text }) => text !== undefined);
}

function chromium(report) {
  const rows = speedRows(report, "Chromium");
  if (rows === undefined) return undefined;
  const { engines } = report;
  const measured = report.speed.sizes.at(-1).engines.filter(({ id }) => engines[id].where === "Chromium");
  const files = new Set(measured.map(({ id, backend }) => `${engines[id].label.replace(/, (sorted|one).*/, "")} ${backend.file}`));
  return `${rows}\n\nWebAssembly files: ${[...files].join("; ")}.`;
}

function native(report) {
  return speedRows(report, "native");
}

/** Returns a table of the engines in Chromium or of the native programs at all sizes; undefined if none was measured. */
function speedRows(report, where) {
  const { engines } = report;
  const { sizes } = report.speed;
  const ids = idsOf(sizes).filter((id) => engines[id].where === where);
  if (ids.length === 0) return undefined;
  const rows = ids.map((id) => {
    const { label, dtype, threads } = engines[id];
    const ranklet = `${where.toLowerCase()}/ranklet/${dtype}/${threads}`;
    return [label, dtype, threads, ...sizes.map((size) => timeText(timesOf(size, id))), ratioText(ratio(targetSize(report), id, ranklet))];
  });
  const heads = sizes.map(({ documents, tokens }) => `${numberText(documents)} documents, ${rangeText(tokens)} tokens`);
  const ratioHead = sizes.length > 1 ? `time over Ranklet's, ${targetSize(report)?.documents} documents` : "time over Ranklet's";
  return table(["engine", "weights", "threads", ...heads, ratioHead], rows);
}

function noVnni({ no_vnni: size, machine, engines }) {
  if (size.engines.length === 0) return undefined;
  const setting = machine.avx_vnni
    ? `Chromium with \`--js-flags=--no-enable-avx-vnni\`; V8 reports the instructions as ${machine.avx_vnni_switched_off ? "**still on**" : "off"}. `
    : "This processor has no AVX-VNNI, so this repeats the other measurement. ";
  const rows = size.engines.map(({ id, ms }) => [
    engines[id].label,
    timeText(ms),
    ratioText(ratio(size, "chromium/transformers.js-sorted/q8/1", id)),
  ]);
  return `${setting}q8, one thread, ${size.documents} documents.\n\n${table(["engine", "time", "transformers.js' time over it"], rows)}`;
}

function shapes({ shapes, engines }) {
  const ids = idsOf(shapes);
  if (ids.length === 0) return undefined;
  const rows = ids.map((id) => {
    const { label, where, dtype } = engines[id];
    return [where, label, dtype, ...shapes.map((shape) => timeText(timesOf(shape, id)))];
  });
  rows.push(["", "a well-known tutorial's figures for a CPU, 100 documents", "", ...shapes.map(({ model }) => tutorialTimes[model])]);
  const text = `Two threads, ${shapes[0].documents} documents of ${rangeText(shapes.flatMap(({ tokens }) => tokens))} tokens. The tutorial used another machine and other texts.`;
  return `${text}\n\n${table(["where", "engine", "weights", ...shapes.map(({ model }) => model)], rows)}`;
}

function load({ load, engines }) {
  const measured = load.filter(({ warm_ms }) => warm_ms.length > 0);
  if (measured.length === 0) return undefined;
  const rows = measured.map(({ id, cold_ms, warm_ms, bytes, warm_bytes }) => [
    engines[id].label.split(",")[0],
    millisecondsText(cold_ms),
    timeText(warm_ms),
    megabytes(bytes),
    megabytes(warm_bytes),
  ]);
  const text =
    "From the import of the library to the first score, q8, one thread. Each library has its own cache and a profile on disk; " +
    "the files come from this machine. Bytes are counted on the wire; everything but the weights is compressed with gzip.";
  return `${text}\n\n${table(["engine", "empty caches", "full caches, a new page", "downloaded", "downloaded again"], rows)}`;
}

function memory({ memory, models, engines }) {
  if (memory.engines.length === 0) return undefined;
  const rows = memory.engines.map(({ id, loaded_wasm_bytes, wasm_bytes, process_bytes }) => {
    const { label, where, dtype, threads } = engines[id];
    const place = where === "Chromium" && threads === 0 ? "Chromium, on the page's thread" : where;
    return [place, label, dtype, megabytes(loaded_wasm_bytes), megabytes(wasm_bytes), megabytes(process_bytes)];
  });
  const weights = Object.entries(models[0].bytes).map(([name, bytes]) => `${name} ${megabytes(bytes)}`);
  const text = `One thread, ${memory.documents} documents of ${numberText(memory.tokens)} tokens; weights: ${weights.join(", ")}.`;
  return `${text}\n\n${table(["where", "engine", "weights", "wasm, loaded", "wasm, peak", "process, peak"], rows)}`;
}

function flat({ flat, engines }) {
  const ids = idsOf(flat.sizes);
  if (ids.length === 0) return undefined;
  const rows = ids.map((id) => [
    `${engines[id].label}, ${engines[id].where}`,
    ...flat.sizes.map((size) => {
      const ms = timesOf(size, id);
      return ms === undefined ? "-" : `${(median(ms) / size.documents).toFixed(2)} ms`;
    }),
  ]);
  const text = `Milliseconds per document; each has ${flat.tokens_each} tokens with the query; q8, one thread.`;
  return `${text}\n\n${table(["engine", ...flat.sizes.map(({ documents }) => `${numberText(documents)} documents`)], rows)}`;
}

function families({ families, engines }) {
  const rows = families.flatMap(({ model, bytes, documents, engines: measured }) =>
    measured.map(({ id, load_ms, ms, tokens, predicted_bytes, loaded_bytes, peak_bytes, process_bytes }) => [
      model,
      megabytes(bytes),
      engines[id].where,
      engines[id].dtype,
      `${(load_ms / 1000).toFixed(1)} s`,
      ...[predicted_bytes, loaded_bytes, peak_bytes, process_bytes].map(megabytes),
      (tokens / documents).toFixed(0),
      (documents / (ms / 1000)).toFixed(1),
    ]),
  );
  if (rows.length === 0) return undefined;
  const text =
    'Random weights in f16 files, one thread. The peak of a native program is that of its process; in Chromium, "peak" is WebAssembly\'s memory. ' +
    "Memory is predicted for pairs of the model's maximum length.";
  const heads = ["shape", "file", "where", "weights", "load", "predicted", "loaded", "peak", "process", "tokens each", "documents/s"];
  return `${text}\n\n${table(heads, rows)}`;
}

function gpu({ gpu: { adapter, hardware, pages, native }, engines }) {
  if (pages.engines.length === 0 && idsOf(native).length === 0) return undefined;
  const pageRows = pages.engines.map(({ id, ms }) => [
    engines[id].label,
    engines[id].dtype,
    timeText(ms),
    ratioText(ratio(pages, id, "chromium/ranklet-webgpu/f32/1")),
  ]);
  const shapeRows = native.flatMap(({ model, engines: measured }) => [
    ...measured.map(({ id, ms, backend }) => [model, engines[id].label, engines[id].dtype, timeText(ms), backend?.kernels ?? ""]),
    ...(hardware ? [[model, "a well-known tutorial's figures for an A100 and a T4", "", tutorialGpuTimes[model], ""]] : []),
  ]);
  const kernelRows = native.flatMap(({ model, kernels }) =>
    Object.entries(kernels).flatMap(([dtype, lines]) =>
      (lines ?? []).map(({ kernel, runs, ms, flops }) => [
        model,
        dtype,
        kernel,
        runs,
        `${ms.toFixed(3)} ms`,
        flops > 0 ? (flops / ms / 1e6).toFixed(0) : "",
      ]),
    ),
  );
  const pageAdapter = hardware ? "the machine's GPU" : "SwiftShader, which runs on the CPU";
  return [
    `Chromium, ${pages.documents} documents, on ${pageAdapter}:`,
    table(["engine", "weights", "time", "time over Ranklet's"], pageRows),
    `Native programs, ${native[0]?.documents} documents, on ${adapter}:`,
    table(["shape", "engine", "weights", "time", "chosen kernels"], shapeRows),
    "Time of each kernel (timestamp queries), all documents as one batch:",
    table(["shape", "weights", "kernel", "runs", "time", "GFLOP/s"], kernelRows),
  ].join("\n\n");
}

function agreement({ speed: { agreement }, engines }) {
  if (agreement.length === 0) return undefined;
  const rows = agreement.map(({ id, tau, max_difference }) => {
    const { label, where, dtype, threads } = engines[id];
    return [where, label, dtype, threads, tau.toFixed(4), max_difference.toExponential(1)];
  });
  const text = `${agreement[0].documents} documents of one query: Kendall's tau with transformers.js in f32, and the maximum difference of the logits.`;
  return `${text}\n\n${table(["where", "engine", "weights", "threads", "tau", "difference"], rows)}`;
}

/** Returns the ids of the engines that were measured in at least one of the sizes. */
function idsOf(sizes) {
  return [...new Set(sizes.flatMap((size) => size.engines.map(({ id }) => id)))];
}

function timesOf(size, id) {
  return size.engines.find((engine) => engine.id === id)?.ms;
}
