// The engines that are measured, and how to start them.
//
// An engine is { id, label, where, peer, dtype, threads, maxDocuments?, open }. `open()` resolves to a runner
// { loaded, score(workload) -> { ms, scores, tokens? }, close }. An id is where/peer/dtype/threads; targets refer to it.
import { startCuda, startOnnxruntime, startPythonPackage, startRanklet } from "./native.mjs";

/** The workload of a page's first call, which ends the time of loading. */
export const warmUpWorkload = { query: "what is loaded", documents: ["One short passage, to see that everything is there."] };

/** The maximum number of documents in one padded batch: a thousand would take gigabytes. */
const maxPaddedDocuments = 100;

/** All engines of this run by id, for the report. */
export const engineInfo = {};

const onnxFile = { q8: "onnx/model_quantized.onnx", f32: "onnx/model.onnx" };

/**
 * Ranklet in Chromium. `build` is "simd128" for the file that browsers without relaxed SIMD get; `version` is one of several
 * builds of Ranklet, as in sections/versions.mjs.
 */
export function rankletPage({ browser, site, model, dtype, threads, build, version, device = "cpu", watch = false }) {
  const variant = device === "webgpu" ? device : [version?.name, build].filter(Boolean).join("-") || undefined;
  const label = `Ranklet${variant === undefined ? "" : device === "webgpu" ? ", WebGPU" : `, ${variant} build`}`;
  return {
    ...registered({ label, where: "Chromium", peer: variant === undefined ? "ranklet" : `ranklet-${variant}`, dtype, threads }),
    open: async () => {
      const page = await browser.open("ranklet");
      const before = site.answers.length;
      const loaded = await page.load({
        library: version?.library ?? "/ranklet/index.js",
        model: `bench/${dtype === "q8" && model.folders.q8 !== model.folders.f32 ? `${model.name}-q8` : model.name}`,
        options: { baseUrl: `${site.url}models`, dtype, workers: threads, device },
        simd128: build === "simd128",
        watch,
        warmUp: warmUpWorkload,
      });
      const file = site.answers
        .slice(before)
        .find(({ path }) => path.endsWith(".wasm"))
        ?.path.split("/")
        .at(-1);
      return { ...page, loaded: { ...loaded, backend: { ...loaded.backend, file } } };
    },
  };
}

/** Ranklet in Chromium, with some layers of the model in each worker. `last` is the answer of the last call. */
export function layersPage({ browser, site, model, dtype, workers }) {
  const engine = registered({
    label: workers === 1 ? "Ranklet, one worker" : "Ranklet, layers over workers",
    where: "Chromium",
    peer: "ranklet-layers",
    dtype,
    threads: workers,
  });
  const open = async () => {
    const page = await browser.open("layers");
    const split = workers === 1 ? "copies" : "layers";
    const loaded = await page.load({
      library: "/ranklet/index.js",
      model: `bench/${model.name}`,
      baseUrl: `${site.url}models`,
      dtype,
      workers,
      split,
      warmUp: warmUpWorkload,
    });
    // Its tokens are those of another tokenizer than the workload's.
    const score = async (workload) => {
      const { tokens: _, ...answer } = await page.score(workload);
      return (runner.last = answer);
    };
    const runner = { ...page, loaded, score };
    return runner;
  };
  return { ...engine, open };
}

/** transformers.js in Chromium: two engines that share a page, one with sorted batches, one with a single padded batch. */
export function transformersPages(settings) {
  let opened;
  const open = (batching) => async () => {
    const page = await (opened ??= openTransformers(settings));
    return { ...page, score: (workload) => page.score({ ...workload, batching }) };
  };
  const { dtype, threads, device } = settings;
  const [name, peer] = device === "webgpu" ? ["transformers.js, WebGPU", "transformers.js-webgpu"] : ["transformers.js", "transformers.js"];
  const engine = (batching, text) => ({
    ...registered({ label: `${name}, ${text}`, where: "Chromium", peer: `${peer}-${batching}`, dtype, threads }),
    open: open(batching),
  });
  return [engine("sorted", "sorted batches of 16"), { ...engine("padded", "one padded batch"), maxDocuments: maxPaddedDocuments }];
}

async function openTransformers({ browser, site, model, dtype, threads, device = "wasm", watch = false }) {
  const page = await browser.open("transformers");
  const loaded = await page.load({
    model: `bench/${model.name}`,
    host: `${site.url}models/`,
    dtype: dtype === "f32" ? "fp32" : dtype,
    threads,
    device,
    watch,
    warmUp: warmUpWorkload,
  });
  return { ...page, loaded };
}

/**
 * Ranklet's program; `device` "candle" is the reference engine, and `version` as for `rankletPage`.
 * @param features the optional features of a GPU that it may use; default: all
 */
export function rankletProgram({ model, dtype, threads, version, device = "cpu", features }) {
  const [name, id] =
    version === undefined
      ? { cpu: ["Ranklet", "ranklet"], gpu: ["Ranklet, GPU", "ranklet-gpu"], candle: ["candle", "candle"] }[device]
      : [`Ranklet, ${version.name} build`, `ranklet-${version.name}`];
  const [label, peer] = features === undefined ? [name, id] : [`${name}, features: ${features}`, `${id}-${features}`];
  // For f16, Ranklet rounds f32 weights while it loads them.
  const folder = model.folders[dtype === "f16" ? "f32" : dtype];
  return {
    ...registered({ label, where: "native", peer, dtype, threads }),
    open: () => startRanklet({ program: version?.program, folder, device, dtype, threads, features }),
  };
}

/** onnxruntime's Python package. */
export function onnxruntimeProgram({ python, model, dtype, threads }) {
  return {
    ...registered({ label: `onnxruntime ${dtype === "q8" ? "int8" : "fp32"}`, where: "native", peer: "onnxruntime", dtype, threads }),
    open: () => startOnnxruntime({ python, folder: model.folders.f32, file: onnxFile[dtype], threads }),
  };
}

/** A Python package: "ranklet", "sentence-transformers" or "fastembed"; `batch` is its batch size, if that matters. */
export function pythonPackage({ python, model, name, dtype, threads, batch }) {
  const peer = batch === undefined ? `python-${name}` : `python-${name}-${batch}`;
  const folder = model.folders[name === "ranklet" ? dtype : "f32"];
  return {
    ...registered({ label: name, where: "native", peer, dtype, threads, package: name, batch }),
    open: () => startPythonPackage({ python, name, folder, dtype, threads, batch: batch ?? 32 }),
  };
}

/** PyTorch on a CUDA device. */
export function cudaProgram({ python, model, dtype }) {
  return {
    ...registered({ label: "PyTorch, CUDA", where: "native", peer: "pytorch-cuda", dtype, threads: 1 }),
    open: () => startCuda({ python, folder: model.folders.f32, dtype }),
  };
}

function registered(engine) {
  const id = [engine.where.toLowerCase(), engine.peer, engine.dtype, engine.threads].join("/");
  engineInfo[id] = engine;
  return { id, ...engine };
}
