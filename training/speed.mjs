// Compares the speed of a model with the default model's in Chromium: one thread, 100 passages of docs/benchmarks.md,
// interleaved, by the processor time of Chromium's processes, which other load on the machine changes little.
//
//     node training/speed.mjs WORK/small/quantized [REPETITIONS]
//
// It needs the built package, and the packages of tests/js and bench.
import { cpSync, rmSync } from "node:fs";

import { startChromium } from "../bench/engines/chromium.mjs";
import { warmUpWorkload } from "../bench/engines/engines.mjs";
import { startSite } from "../bench/engines/site.mjs";
import { descendantsMs } from "../bench/measure/processor-time.mjs";
import { median } from "../bench/measure/statistics.mjs";
import { WorkloadGenerator } from "../bench/measure/workload.mjs";
import { inOutput, inRepository } from "../bench/paths.mjs";

const [folder, repetitions = "5"] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node training/speed.mjs FOLDER [REPETITIONS]");
  process.exit(2);
}
const sources = { default: inRepository("models/default"), other: folder };
const library = "/ranklet/index.js";
const workloads = new WorkloadGenerator();
const site = await startSite();
const browser = await startChromium(site);
try {
  const pages = {};
  for (const [name, source] of Object.entries(sources)) {
    const copy = inOutput(`models/training/${name}`);
    rmSync(copy, { recursive: true, force: true });
    cpSync(source, copy, { recursive: true });
    pages[name] = await browser.open("ranklet");
    const options = { baseUrl: `${site.url}models`, device: "cpu", workers: 1 };
    await pages[name].load({ library, model: `training/${name}`, options, warmUp: warmUpWorkload });
  }
  const warmUp = workloads.next(100);
  for (const page of Object.values(pages)) await page.score(warmUp);
  const ratios = [];
  for (let repetition = 0; repetition < Number(repetitions); repetition++) {
    const workload = workloads.next(100);
    const times = {};
    for (const [name, page] of Object.entries(pages)) times[name] = await processorTime(() => page.score(workload));
    ratios.push(times.default / times.other);
    console.log(`default ${times.default.toFixed(0)} ms, other ${times.other.toFixed(0)} ms`);
  }
  console.log(`documents per second over the default's: ${median(ratios).toFixed(2)}`);
} finally {
  await browser.close();
  await site.stop();
}

/** Returns the processor time of a call in milliseconds, or its time on the clock if the system does not report the former. */
async function processorTime(call) {
  const before = descendantsMs();
  const { ms } = await call();
  return before === undefined ? ms : descendantsMs() - before;
}
