// The chart docs/bench.svg: times in Chromium as bars, readable on light and dark pages.
import { median } from "../measure/statistics.mjs";
import { targetSize } from "./targets.mjs";

const layout = { height: 20, gap: 8, left: 345, width: 400, right: 95 };

const style = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .ours { fill: #0b7a75 } .theirs { fill: #9aa4af }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .ours { fill: #2cb5ad } .theirs { fill: #5b646e }
  }`;

const groups = { q8: "8-bit weights", f32: "32-bit weights" };

/** Returns an SVG of the times at the target size, fastest first; undefined if speed was not measured. */
export function speedChart(report) {
  const size = targetSize(report);
  if (size === undefined || size.engines.length === 0) return undefined;
  const bars = size.engines
    .map(({ id, ms }) => ({ ...report.engines[id], ms: median(ms) }))
    .filter(({ where, peer }) => where === "Chromium" && peer !== "ranklet-simd128");
  const maxMs = Math.max(...bars.map(({ ms }) => ms));
  const parts = [];
  let y = 40;
  for (const [dtype, heading] of Object.entries(groups)) {
    parts.push(text("title", layout.left, y + 16, heading));
    y += layout.height + layout.gap;
    for (const row of bars.filter((one) => one.dtype === dtype).sort((a, b) => a.ms - b.ms)) {
      parts.push(...barParts(row, y, maxMs));
      y += layout.height + layout.gap;
    }
    y += layout.gap;
  }
  const [width, height] = [layout.left + layout.width + layout.right, y + 24];
  const { processor, avx_vnni } = report.machine;
  const title = `${size.documents} documents (${size.tokens[0].toLocaleString("en")} tokens), Chromium ${report.software.chromium.split(".")[0]}`;
  const foot = `MiniLM-L6; transformers.js ${report.software["transformers.js"]}; ${processor}, ${avx_vnni ? "with" : "without"} AVX-VNNI; medians, lower is better`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>${style}
</style>
${text("title", layout.left, 22, title)}
${parts.join("\n")}
${text("small", 10, height - 10, foot)}
</svg>
`;
}

function barParts({ label, threads, peer, ms }, y, maxMs) {
  const length = Math.max(1, (ms / maxMs) * layout.width);
  const ours = peer === "ranklet";
  const engineName = `${label}, ${threads} ${ours ? "worker" : "thread"}${threads === 1 ? "" : "s"}`;
  return [
    `<text x="${layout.left - 10}" y="${y + 15}" text-anchor="end">${escaped(engineName)}</text>`,
    `<rect class="${ours ? "ours" : "theirs"}" x="${layout.left}" y="${y}" width="${length.toFixed(1)}" height="${layout.height}" rx="3"/>`,
    text("", (layout.left + length + 8).toFixed(1), y + 15, ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`),
  ];
}

function text(kind, x, y, content) {
  return `<text${kind === "" ? "" : ` class="${kind}"`} x="${x}" y="${y}">${escaped(content)}</text>`;
}

function escaped(content) {
  return content.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
