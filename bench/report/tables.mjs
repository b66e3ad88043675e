// Markdown tables, and figures as text.
import { median } from "../measure/statistics.mjs";

/** Returns a Markdown table; cells are strings or numbers. */
export function table(heads, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Formats the median of times in milliseconds, with minimum and maximum in brackets; a dash if there are none. */
export function timeText(ms) {
  if (ms === undefined || ms.length === 0) return "-";
  return `${millisecondsText(median(ms))} (${millisecondsText(Math.min(...ms))}, ${millisecondsText(Math.max(...ms))})`;
}

export function millisecondsText(ms) {
  if (ms === undefined) return "-";
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

export function ratioText(value) {
  return value === undefined ? "-" : value.toFixed(value < 1 ? 2 : 1);
}

export function megabytes(bytes) {
  return bytes === undefined ? "-" : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function numberText(value) {
  return value.toLocaleString("en");
}

/** Formats the range of values: "40", or "31 to 226" if they differ. */
export function rangeText(values) {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return min === max ? numberText(min) : `${numberText(min)} to ${numberText(max)}`;
}
