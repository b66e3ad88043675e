// The comparison of two builds as Markdown.
import { median, quantile, quartiles } from "../measure/statistics.mjs";
import { millisecondsText, rangeText, table, timeText } from "./tables.mjs";

export function versions({ versions: { baseline, documents, tokens, typed, comparisons } }) {
  const names = { load: "load to first score", score: `${documents} documents`, type: `a word typed over ${typed[0]} documents` };
  const rows = comparisons.flatMap(({ what, where, dtype, threads, baseline: before, current: after, same_bits, max_difference }) => {
    const row = [
      names[what],
      where,
      dtype,
      threads,
      timeText(before.ms),
      timeText(after.ms),
      ratioText(before.ms, after.ms),
      ratioText(before.processor_ms, after.processor_ms),
      same_bits === undefined ? "" : same_bits ? "the same bits" : `differ by up to ${max_difference.toExponential(1)}`,
    ];
    if (what !== "type") return [row];
    const [slowBefore, slowAfter] = [before, after].map(({ ms }) => quantile(ms, 0.95));
    return [
      row,
      [
        "95 % take at most",
        where,
        dtype,
        threads,
        millisecondsText(slowBefore),
        millisecondsText(slowAfter),
        (slowBefore / slowAfter).toFixed(3),
        "",
        "",
      ],
    ];
  });
  const text =
    `The baseline is ${baseline}. The default model; ${documents} documents have ${rangeText(tokens)} tokens, with new texts in each repetition, ` +
    "which both builds score in turns. A ratio is the median of the repetitions' ratios of the baseline's time to this build's, so above 1 this build is " +
    `faster; the brackets have its quartiles. While a query is typed, its words so far are ranked after each one, over passages whose pairs have ${typed[1]} tokens with the whole query.`;
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
