// Writes the sections of a run into docs/benchmarks.md, each between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`.
import { measuredSections } from "./sections.mjs";

/**
 * Replaces the sections that a run measured and nothing else. A section in which an engine failed is not replaced, because
 * it would lose the row of that engine.
 * @param {string} page the text of docs/benchmarks.md
 * @returns {string} the new text
 */
export function publish(page, report) {
  const failedParts = new Set(report.notes.filter(({ unsupported }) => !unsupported).map(({ section }) => section.replace("-", "_")));
  const complete = measuredSections(report).filter(({ part }) => !failedParts.has(part));
  return complete.reduce((text, section) => replaceSection(text, section.name, wrapLines(`${runLine(report)}\n\n${section.text}`)), page);
}

/**
 * Replaces the text between the markers of one section.
 * @throws {Error} unless the page has each of the two markers once, in order
 */
export function replaceSection(page, name, section) {
  const [start, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  for (const marker of [start, end]) {
    const count = page.split(marker).length - 1;
    if (count !== 1) throw new Error(`docs/benchmarks.md must have the marker ${marker} once, not ${count} times`);
  }
  if (page.indexOf(start) > page.indexOf(end)) throw new Error(`docs/benchmarks.md must have ${start} before ${end}`);
  const [before, rest] = page.split(start);
  const [, after] = rest.split(end);
  return `${before}${start}\n${section}\n${end}${after}`;
}

/** Wraps the lines of paragraphs, as the rest of the page is wrapped. */
export function wrapLines(text) {
  const maxLength = 120;
  const wrap = (line) => {
    if (line.length <= maxLength || /^[|!<# -]/.test(line)) return line;
    return line.split(" ").reduce((wrapped, word) => {
      const start = wrapped.lastIndexOf("\n") + 1;
      return `${wrapped}${wrapped.length - start + 1 + word.length > maxLength ? "\n" : " "}${word}`;
    });
  };
  return text.split("\n").map(wrap).join("\n");
}

/** The date, the machine and the software of a run. */
function runLine({ when, machine, software }) {
  const day = new Date(when).toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });
  const vnni = machine.avx_vnni ? "with AVX-VNNI" : "without AVX-VNNI";
  const peers = ["chromium", "transformers.js", "onnxruntime"].filter((name) => software[name] !== undefined);
  const used = peers.map((name) => `${name === "chromium" ? "Chromium" : name} ${software[name]}`).join(", ");
  return `${day}; ${machine.processor} ${vnni}, ${machine.cores} logical processors; ${used}; Ranklet ${software.ranklet}.`;
}
