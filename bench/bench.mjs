// Measures Ranklet and its peers side by side and writes a report. `./build.sh bench --help` lists the options.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { engineInfo } from "./engines/engines.mjs";
import { startSite } from "./engines/site.mjs";
import { WorkloadGenerator } from "./measure/workload.mjs";
import { prepareFamily, prepareModel, preparePython, program } from "./models/models.mjs";
import { benchConfig, help, readOptions } from "./options.mjs";
import { inOutput, inRepository } from "./paths.mjs";
import { speedChart } from "./report/chart.mjs";
import { describeMachine } from "./report/machine.mjs";
import { publish } from "./report/published.mjs";
import { markdown } from "./report/report.mjs";
import { checkTargets } from "./report/targets.mjs";
import { families } from "./sections/families.mjs";
import { gpu } from "./sections/gpu.mjs";
import { layers } from "./sections/layers.mjs";
import { load } from "./sections/load.mjs";
import { memory } from "./sections/memory.mjs";
import { python as pythonSection } from "./sections/python.mjs";
import { serve } from "./sections/serve.mjs";
import { flat, noVnni, shapes, speed } from "./sections/speed.mjs";
import { versions } from "./sections/versions.mjs";

const sections = { speed, "no-vnni": noVnni, shapes, load, memory, flat, families, layers, gpu, serve, python: pythonSection, versions };

let options;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${error.message}\n${help}`);
  process.exit(2);
}
if (options.help) {
  console.log(help);
  process.exit(0);
}

const needsProgram = [[program, "the command line"]];
const needsPackage = [[inRepository("pkg/dist/index.js"), "the package"]];
for (const [path, what] of options.parts.join() === "native" ? needsProgram : [...needsProgram, ...needsPackage]) {
  if (existsSync(path)) continue;
  console.error(`bench: ${what} is not built: run without --no-build`);
  process.exit(1);
}

const config = benchConfig(options);
const hasPeers = options.only.some((section) => section !== "versions");
const python = hasPeers || options.parts.includes("large") ? preparePython(options.only) : undefined;
// The sections "families", "layers" and "versions" prepare their own models.
const ownModels = ["families", "layers", "versions"];
const commonModels = options.only.some((section) => !ownModels.includes(section)) ? config.shapes.slice(0, 1) : [];
const modelNames = options.only.some((section) => section === "shapes" || (section === "gpu" && options.hardware))
  ? config.shapes
  : commonModels;
const models = modelNames.map((name) => prepareModel(name, python, options.checkpoint));
const workloads = new WorkloadGenerator(options.w100);
const site = await startSite();

const notes = [];
const report = {
  when: new Date().toISOString(),
  quick: options.quick,
  ...(await describeMachine(site, python)),
  texts: workloads.source,
  models: models.map(({ folders: _, ...model }) => model),
  notes,
  engines: engineInfo,
};
const context = {
  site,
  python,
  model: models[0],
  models,
  workloads,
  config,
  notes,
  against: options.against,
  parts: options.parts,
  prepare: (name) => prepareFamily(name, python, options.xlmr),
};
for (const section of options.only) {
  const notesBefore = notes.length;
  try {
    report[section.replace("-", "_")] = await sections[section](context);
  } catch (error) {
    notes.push({ id: "whole section", error: String(error?.stack ?? error), unsupported: false });
    console.error(error);
  }
  for (const note of notes.slice(notesBefore)) note.section = section;
  // Written after each section, because a run takes long and may be interrupted.
  write();
}
await site.stop();

console.log(markdown(report));
console.error("written to .build/bench: report.md, report.json, bench.svg");
const failed = notes.filter(({ unsupported }) => !unsupported);
for (const { section, id, error } of failed) console.error(`bench: ${section}: ${id} failed: ${error}`);
process.exit(failed.length > 0 ? 1 : 0);

function write() {
  report.targets = checkTargets(report);
  mkdirSync(inOutput("."), { recursive: true });
  writeFileSync(inOutput("report.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(inOutput("report.md"), markdown(report));
  const svg = speedChart(report);
  if (svg !== undefined) writeFileSync(inOutput("bench.svg"), svg);
  if (!options.publish) return;
  const speedFailed = notes.some(({ section, unsupported }) => section === "speed" && !unsupported);
  if (svg !== undefined && !speedFailed) writeFileSync(inRepository("docs/bench.svg"), svg);
  const page = inRepository("docs/benchmarks.md");
  writeFileSync(page, publish(readFileSync(page, "utf8"), report));
}
