// The comparison of two builds as Markdown.
import { median, quartiles } from "../measure/statistics.mjs";
import { rangeText, table, timeText } from "./tables.mjs";

export function versions({ versions: { baseline, documents, tokens, comparisons } }) {
  const rows = comparisons.map(({ what, where, dtype, threads, baseline: before, current: after, same_bits, max_difference }) => [
    what === "load" ? "load to first score" : `${documents} documents`,
    where,
    dtype,
    threads,
    timeText(before.ms),
    timeText(after.ms),
    ratioText(before.ms, after.ms),
    ratioText(before.processor_ms, after.processor_ms),
    same_bits === undefined ? "" : same_bits ? "the same bits" : `differ by up to ${max_difference.toExponential(1)}`,
  ]);
  const text =
    `The baseline is ${baseline}. The default model; ${documents} documents have ${rangeText(tokens)} tokens, with new texts in each repetition, ` +
    "which both builds score in turns. A ratio is the median of the repetitions' ratios of the baseline's time to this build's, so above 1 this build is " +
    "faster; the brackets have its quartiles.";
  const heads = ["what", "where", "weights", "threads", "baseline", "this build", "ratio", "ratio of processor times", "scores"];
  return `## Versions\n\n${text}\n\n${table(heads, rows)}`;
}

/** Formats the ratios of times of the same repetitions; a dash if a time is missing. */
export function ratioText(before, after) {
  const ratios = before.map((ms, repetition) => ms / after[repetition]);
  if (!ratios.every(Number.isFinite) || ratios.length === 0) return "-";
  const [low, high] = quartiles(ratios);
  return `${median(ratios).toFixed(3)} (${low.toFixed(3)}, ${high.toFixed(3)})`;
}
