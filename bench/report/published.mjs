// Writes a run's sections into docs/benchmarks.md. Each section is between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
import { measuredSections } from "./sections.mjs";

/**
 * Replaces the sections that a run measured and leaves everything else as it is. A section in which an engine failed also
 * stays as it is, because it would lose that engine's row.
 * @param {string} page the text of docs/benchmarks.md
 * @returns {string} the new text
 */
export function publish(page, report) {
  const failedParts = new Set(report.notes.filter(({ unsupported }) => !unsupported).map(({ section }) => section.replace("-", "_")));
  const complete = measuredSections(report).filter(({ part }) => !failedParts.has(part));
  return complete.reduce((text, section) => replaceSection(text, section.name, `${runLine(report)}\n\n${section.text}`), page);
}

/**
 * Replaces the text between the markers of one section.
 * @throws {Error} unless the page has each of the two markers once, in order
 */
export function replaceSection(page, name, section) {
  const [start, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  for (const marker of [start, end]) {
    const count = page.split(marker).length - 1;
    if (count !== 1) throw new Error(`docs/benchmarks.md has the marker ${marker} ${count} times, and it must have it once`);
  }
  if (page.indexOf(start) > page.indexOf(end)) throw new Error(`docs/benchmarks.md has ${end} before ${start}`);
  const [before, rest] = page.split(start);
  const [, after] = rest.split(end);
  return `${before}${start}\n${section}\n${end}${after}`;
}

/** When, on what and with what a section was measured. */
function runLine({ when, machine, software }) {
  const day = new Date(when).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const vnni = machine.avx_vnni ? "with AVX-VNNI" : "without AVX-VNNI";
  const peers = ["chromium", "transformers.js", "onnxruntime"].filter((name) => software[name] !== undefined);
  const used = peers.map((name) => `${name === "chromium" ? "Chromium" : name} ${software[name]}`).join(", ");
  return `${day}; ${machine.processor} ${vnni}, ${machine.cores} logical processors; ${used}; Ranklet ${software.ranklet}.`;
}
