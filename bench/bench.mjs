// One command, one report: Ranklet and its peers, side by side. `./build.sh bench --help` says what can be asked for.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";

import { engineNames } from "./engines/engines.mjs";
import { gpu } from "./sections/gpu.mjs";
import { describe } from "./report/machine.mjs";
import { prepareFamily, prepareModel, preparePython, program } from "./models/models.mjs";
import { extent, help, readOptions } from "./options.mjs";
import { inOutput, inRepository } from "./paths.mjs";
import { picture } from "./report/chart.mjs";
import { markdown } from "./report/report.mjs";
import { families } from "./sections/families.mjs";
import { load } from "./sections/load.mjs";
import { memory } from "./sections/memory.mjs";
import { flat, noVnni, shapes, speed } from "./sections/speed.mjs";
import { startSite } from "./engines/site.mjs";
import { judge } from "./report/targets.mjs";
import { Works } from "./measure/workload.mjs";

const run = { speed, "no-vnni": noVnni, shapes, load, memory, flat, families, gpu };

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

for (const [path, what] of [[program, "the command line"], [inRepository("pkg/dist/index.js"), "the package"]]) {
  if (existsSync(path)) continue;
  console.error(`bench: ${what} is not built: leave out --no-build`);
  process.exit(1);
}

const much = extent(options);
const python = preparePython();
// The families have models of their own.
const common = options.only.some((section) => section !== "families") ? much.shapes.slice(0, 1) : [];
const names = options.only.some((section) => section === "shapes" || (section === "gpu" && options.hardware)) ? much.shapes : common;
const models = names.map((name) => prepareModel(name, python, options.checkpoint));
const works = new Works(options.w100);
const site = await startSite();

const notes = [];
const report = {
  when: new Date().toISOString(),
  quick: options.quick,
  ...(await describe(site, python)),
  work: works.source,
  models: models.map(({ folders: _, ...model }) => model),
  notes,
  engines: engineNames,
};
for (const section of options.only) {
  const noted = notes.length;
  try {
    report[section.replace("-", "_")] = await run[section]({ site, python, model: models[0], models, works, extent: much, notes, prepare: (name) => prepareFamily(name, python, options.xlmr) });
  } catch (error) {
    notes.push({ id: "all of it", error: String(error?.stack ?? error), unsupported: false });
    console.error(error);
  }
  for (const note of notes.slice(noted)) note.section = section;
  // After each part, for a run takes long and may be ended.
  write();
}
await site.stop();

console.log(markdown(report));
console.error("written to .build/bench: report.md, report.json, bench.svg");
const failed = notes.filter(({ unsupported }) => !unsupported);
for (const { section, id, error } of failed) console.error(`bench: ${section}: ${id} failed: ${error}`);
process.exit(failed.length > 0 ? 1 : 0);

function write() {
  report.targets = judge(report);
  mkdirSync(inOutput("."), { recursive: true });
  writeFileSync(inOutput("report.json"), `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(inOutput("report.md"), markdown(report));
  const svg = picture(report);
  if (svg === undefined) return;
  writeFileSync(inOutput("bench.svg"), svg);
  if (options.publish) writeFileSync(inRepository("docs/bench.svg"), svg);
}
