// One command, one report: Ranklet and its peers, side by side. `./build.sh bench --help` says what can be asked for.
import { mkdirSync, writeFileSync } from "node:fs";

import { engineNames } from "./engines.mjs";
import { describe } from "./machine.mjs";
import { prepareModel, preparePython } from "./models.mjs";
import { extent, help, readOptions } from "./options.mjs";
import { inOutput, inRepository } from "./paths.mjs";
import { picture } from "./picture.mjs";
import { markdown } from "./report.mjs";
import { flat, load, memory, noVnni, shapes, speed } from "./sections.mjs";
import { startSite } from "./site.mjs";
import { judge } from "./targets.mjs";
import { Works } from "./work.mjs";

const run = { speed, "no-vnni": noVnni, shapes, load, memory, flat };

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

const much = extent(options);
const python = preparePython();
const names = options.only.includes("shapes") ? much.shapes : much.shapes.slice(0, 1);
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
};
for (const name of options.only) {
  const noted = notes.length;
  report[name.replace("-", "_")] = await run[name]({ site, python, model: models[0], models, works, extent: much, notes });
  for (const note of notes.slice(noted)) note.section = name;
}
await site.stop();

report.notes = notes;
report.targets = judge(report);
report.engines = engineNames;
mkdirSync(inOutput("."), { recursive: true });
writeFileSync(inOutput("report.json"), `${JSON.stringify(report, null, 1)}\n`);
writeFileSync(inOutput("report.md"), markdown(report));
const svg = picture(report);
if (svg !== undefined) {
  writeFileSync(inOutput("bench.svg"), svg);
  if (options.publish) writeFileSync(inRepository("docs/bench.svg"), svg);
}
console.log(markdown(report));
console.error("written to .build/bench: report.md, report.json, bench.svg");

const failed = notes.filter(({ unsupported }) => !unsupported);
if (failed.length > 0) {
  console.error(`bench: ${failed.length} failed: ${failed.map(({ id, error }) => `${id}: ${error}`).join("; ")}`);
  process.exitCode = 1;
}
