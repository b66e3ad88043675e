// The section of the Python packages.
import { median } from "../measure/statistics.mjs";
import { megabytes, millisecondsText, ratioText, table } from "./tables.mjs";

/** Returns the section's text: for each package its fastest batch size. */
export function pythonPackages({ python: { sizes, starts }, engines, software }) {
  const rows = sizes.flatMap(({ threads, engines: measured, documents }) => {
    const ours = fastest(measured, engines, "ranklet", "q8");
    return kinds(measured, engines).map(([name, dtype]) => {
      const best = fastest(measured, engines, name, dtype);
      const start = starts.find(({ id }) => engines[id].package === name && engines[id].dtype === dtype);
      return [
        name,
        dtype,
        threads,
        engines[best.id].batch ?? "",
        millisecondsText(median(best.ms)),
        ratioText(ours === undefined ? undefined : median(best.ms.map((ms, repetition) => ms / ours.ms[repetition]))),
        start?.first_score_ms.length ? millisecondsText(median(start.first_score_ms)) : "",
        start?.peak_bytes === undefined ? "" : megabytes(start.peak_bytes),
        documents,
      ];
    });
  });
  const versions = ["sentence-transformers", "fastembed", "torch", "onnxruntime"].filter((name) => software[name] !== undefined);
  const heads = [
    "package",
    "weights",
    "threads",
    "batch size",
    "time",
    "time over Ranklet's q8",
    "import to first score",
    "peak memory",
    "documents",
  ];
  return `${versions.map((name) => `${name} ${software[name]}`).join(", ")}.\n\n${table(heads, rows)}`;
}

/** Returns how many times as fast Ranklet is as a package at its best batch size; undefined if one was not measured. */
export function packageRatio(report, name, dtype, threads) {
  const measured = report.python?.sizes.find((size) => size.threads === threads)?.engines ?? [];
  const [theirs, ours] = [fastest(measured, report.engines, name, "f32"), fastest(measured, report.engines, "ranklet", dtype)];
  return theirs === undefined || ours === undefined ? undefined : median(theirs.ms.map((ms, repetition) => ms / ours.ms[repetition]));
}

/** Returns how many times as fast Ranklet starts as sentence-transformers: from the import to the first score. */
export function startRatio(report) {
  const times = (name, dtype) =>
    report.python?.starts.find(({ id }) => report.engines[id].package === name && report.engines[id].dtype === dtype)?.first_score_ms;
  const [theirs, ours] = [times("sentence-transformers", "f32"), times("ranklet", "q8")];
  return theirs?.length && ours?.length ? median(theirs) / median(ours) : undefined;
}

function kinds(measured, engines) {
  return [...new Set(measured.map(({ id }) => `${engines[id].package} ${engines[id].dtype}`))].map((kind) => kind.split(" "));
}

function fastest(measured, engines, name, dtype) {
  const same = measured.filter(({ id }) => engines[id].package === name && engines[id].dtype === dtype);
  return same.sort((a, b) => median(a.ms) - median(b.ms))[0];
}
