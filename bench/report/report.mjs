// The whole report as a page of Markdown.
import { measuredSections } from "./sections.mjs";
import { table } from "./tables.mjs";
import { targetSize } from "./targets.mjs";
import { versions } from "./versions.mjs";

export function markdown(report) {
  return [
    "# Ranklet's bench",
    report.quick ? "**A quick run. It only shows that everything works; its figures mean nothing.**" : undefined,
    conditions(report),
    targets(report),
    report.versions && versions(report),
    ...measuredSections(report).map(({ title, text }) => `## ${title}\n\n${text}`),
    notes(report),
  ]
    .filter((part) => part !== undefined)
    .join("\n\n")
    .concat("\n");
}

function conditions({ when, machine, software, models, texts }) {
  const vnni = machine.avx_vnni ? "with AVX-VNNI" : "without AVX-VNNI";
  const memory = `${(machine.memory_bytes / 1e9).toFixed(0)} GB of memory`;
  return [
    `- ${when}; ${machine.processor}, ${machine.cores} logical processors (${vnni}, according to V8), ${memory}, ${machine.system}`,
    `- ${Object.entries(software)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `- Texts: ${texts}. Each repetition has new documents, and all engines score them, one engine after the other.`,
    "- Times run from texts to scores, tokenization included, on warm engines: the median, and minimum and maximum in brackets. A ratio is the median of the repetitions' ratios.",
    ...(models.length === 0 ? [] : [modelLine(models)]),
  ].join("\n");
}

function modelLine(models) {
  return `- Models: ${models.map(({ name, layers, hidden, weights }) => `${name} (${layers} layers of ${hidden}; ${weights})`).join(", ")}. The peers' ONNX files are exported from the same weights.`;
}

function targets(report) {
  if (report.targets.every(({ measured }) => measured === undefined)) return undefined;
  const size = targetSize(report);
  const rows = report.targets.map(({ target, wanted, measured, met }) => [
    target,
    wanted,
    measured === undefined ? "not measured" : measured.toFixed(2),
    met === undefined ? "-" : met ? "met" : "**not met**",
  ]);
  const title = size === undefined ? "Targets" : `Targets for ${size.documents} documents`;
  return `## ${title}\n\n${table(["target", "wanted", "measured", ""], rows)}`;
}

function notes({ notes }) {
  if (notes.length === 0) return undefined;
  const lines = notes.map(
    ({ section, id, error, unsupported }) =>
      `- ${section}, ${id}: ${unsupported ? "not in this build" : "**failed**"}: ${error.split("\n")[0]}`,
  );
  return `## Left out\n\n${lines.join("\n")}`;
}
