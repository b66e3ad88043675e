// The picture for the README: times of one size as bars, readable on light and dark pages.
import { median } from "./statistics.mjs";
import { targetSize } from "./targets.mjs";

const bar = { height: 20, gap: 8, left: 330, width: 400, right: 110 };

const style = `
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .small { font-size: 11px; fill: #57606a }
  .ours { fill: #0b7a75 } .theirs { fill: #9aa4af }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .ours { fill: #2cb5ad } .theirs { fill: #5b646e }
  }`;

/** An SVG of the report's main size, fastest first; undefined where speed was not measured. */
export function picture(report) {
  const size = targetSize(report);
  if (size === undefined || size.engines.length === 0) return undefined;
  const rows = size.engines
    .filter(({ id }) => report.engines[id].where === "Chromium" && report.engines[id].peer !== "ranklet-simd128")
    .map(({ id, ms }) => ({ ...report.engines[id], ms: median(ms) }))
    .sort((a, b) => a.ms - b.ms);
  const longest = Math.max(...rows.map(({ ms }) => ms));
  const top = 54;
  const [width, height] = [bar.left + bar.width + bar.right, top + rows.length * (bar.height + bar.gap) + 30];
  const bars = rows.map(({ label, dtype, threads, peer, ms }, row) => {
    const y = top + row * (bar.height + bar.gap);
    const long = Math.max(1, (ms / longest) * bar.width);
    const text = `${label}, ${dtype}, ${threads === 1 ? "1 thread" : `${threads} ${peer === "ranklet" ? "workers" : "threads"}`}`;
    return [
      `<text x="${bar.left - 10}" y="${y + 15}" text-anchor="end">${text}</text>`,
      `<rect class="${peer === "ranklet" ? "ours" : "theirs"}" x="${bar.left}" y="${y}" width="${long.toFixed(1)}" height="${bar.height}" rx="3"/>`,
      `<text x="${(bar.left + long + 8).toFixed(1)}" y="${y + 15}">${ms < 10_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`}</text>`,
    ].join("\n");
  });
  const { processor, avx_vnni } = report.machine;
  const title = `${size.documents} documents (${size.tokens[0].toLocaleString("en")} tokens) in Chromium ${report.versions.chromium.split(".")[0]}`;
  const foot = `${processor}, ${avx_vnni ? "with" : "without"} AVX-VNNI; transformers.js ${report.versions["transformers.js"]}; MiniLM-L6; medians; less is better`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${title}">
<style>${style}
</style>
<text class="title" x="${bar.left}" y="26">${title}</text>
${bars.join("\n")}
<text class="small" x="10" y="${height - 10}">${escaped(foot)}</text>
</svg>
`;
}

function escaped(text) {
  return text.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0)};`);
}
