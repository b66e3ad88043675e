// WebGPU on the available adapter: in Chromium next to the peer, and natively, by shape and by kernel.
import { execFileSync } from "node:child_process";

import { startGpuChromium } from "../engines/chromium.mjs";
import { cudaProgram, rankletPage, rankletProgram, transformersPages } from "../engines/engines.mjs";
import { attempt, closeAll, interleave, openAll } from "../measure/measure.mjs";
import { program } from "../models/models.mjs";

/** The weights that Ranklet is measured with. */
const dtypes = ["f32", "f16", "q8"];
/** The optional features that each dtype is measured with: none, each alone, and all that the adapter has. */
const features = { f32: ["none", "all"], f16: ["none", "f16", "subgroups", "all"], q8: ["none", "packed-dot", "subgroups", "all"] };

/**
 * @param {{ pages: [number, number], native: [number, number] }} config.gpu documents and repetitions in pages and natively;
 *   few on a software adapter
 */
export async function gpu({ site, python, models, workloads, config, notes }) {
  const pages = await measurePages({ site, model: models[0], workloads, config, notes });
  const native = [];
  for (const model of models) native.push(await measureShape({ python, model, workloads, config, notes }));
  return { adapter: native[0]?.adapter, hardware: config.hardware, pages, native };
}

async function measurePages({ site, model, workloads, config, notes }) {
  console.error("gpu, Chromium");
  const [documents, repetitions] = config.gpu.pages;
  const browser = await startGpuChromium(site, config.hardware);
  const common = { browser, site, model, dtype: "f32", threads: 1, device: "webgpu" };
  const engines = [...dtypes.map((dtype) => rankletPage({ ...common, dtype })), ...transformersPages(common)];
  const opened = await openAll(engines, workloads.next(documents), notes);
  const measured = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
  await closeAll(opened);
  await browser.close();
  return measured;
}

/** Measures Ranklet, and PyTorch if there is CUDA; then each of Ranklet's kernels. */
async function measureShape({ python, model, workloads, config, notes }) {
  console.error(`gpu, ${model.name}`);
  const [documents, repetitions] = config.gpu.native;
  const engines = dtypes.flatMap((dtype) => [
    ...features[dtype].map((features) => rankletProgram({ model, dtype, threads: 1, device: "gpu", features })),
    ...(config.hardware && dtype !== "q8" ? [cudaProgram({ python, model, dtype })] : []),
  ]);
  const opened = await openAll(engines, workloads.next(documents), notes);
  const measured = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
  await closeAll(opened);
  const kernels = {};
  for (const dtype of dtypes) {
    kernels[dtype] = await attempt({ id: `native/kernels/${dtype}` }, notes, async () =>
      kernelTimes(model.folders[dtype === "f16" ? "f32" : dtype], dtype, documents),
    );
  }
  const adapter = measured.engines.find(({ backend }) => backend?.adapter !== undefined)?.backend.adapter;
  return { model: model.name, adapter, ...measured, kernels };
}

/** Returns the output of `ranklet bench --kernels`. */
function kernelTimes(folder, dtype, documents) {
  const given = ["bench", "--kernels", "--json", "--model", folder, "--device", "gpu", "--dtype", dtype, "--documents", String(documents)];
  return JSON.parse(execFileSync(program, given, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}
