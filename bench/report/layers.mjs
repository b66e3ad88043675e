// The section "Layers over workers" as Markdown.
import { median } from "../measure/statistics.mjs";
import { megabytes, table, timeText } from "./tables.mjs";

/** Returns the tables of the section. */
export function layers({ layers: measured }) {
  return measured
    .map(({ model, documents, engines, loads, schedule }) =>
      [`${model}, ${documents} documents`, workers(engines, loads), prediction(schedule)].filter(Boolean).join("\n\n"),
    )
    .join("\n\n");
}

function workers(engines, loads) {
  const sum = (sizes) => sizes.reduce((total, size) => total + size, 0);
  const one = { ms: engines[0]?.ms, ...loads.find(({ workers }) => workers === 1) };
  const rows = loads.map(({ workers, load_ms, predicted_bytes, wasm_bytes }) => {
    const ms = engines.find(({ id }) => id.endsWith(`/${workers}`))?.ms;
    return [
      workers,
      ms === undefined ? "-" : timeText(ms),
      ms === undefined || one.ms === undefined ? "-" : median(one.ms.map((time, at) => time / ms[at])).toFixed(2),
      wasm_bytes.map(megabytes).join(" + "),
      one.wasm_bytes === undefined ? "-" : (sum(wasm_bytes) / sum(one.wasm_bytes)).toFixed(2),
      megabytes(predicted_bytes),
      timeText([load_ms]),
    ];
  });
  return table(["workers", "time", "speed over one worker", "memory of the workers", "all over one worker", "predicted", "load"], rows);
}

function prediction(schedule) {
  if (schedule === undefined) return undefined;
  const { two_last_ms, share_of_second, predictions, one_last_ms } = schedule;
  const rows = predictions.map(({ workers, shares, ms }) => [
    workers,
    shares.map((share) => `${(100 * share).toFixed(1)} %`).join(", "),
    timeText([ms]),
    workers === 2 ? timeText([two_last_ms]) : "-",
    (one_last_ms / ms).toFixed(2),
  ]);
  const measured = `The second of two workers took ${(100 * share_of_second).toFixed(1)} % of the time of both.`;
  return `${table(["workers", "predicted shares of the stages", "predicted time of the last call", "measured", "predicted speed over one worker"], rows)}\n\n${measured}`;
}
