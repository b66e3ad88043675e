// The servers' section of the report.
import { median } from "../measure/statistics.mjs";
import { megabytes, millisecondsText, ratioText, table } from "./tables.mjs";

/** Returns the section's text. */
export function serving({ serve: { connections, documents, tokens, steady, servers }, software }) {
  if (servers.length === 0) return undefined;
  const versions = ["fastapi", "sentence-transformers", "onnxruntime"].filter((name) => software[name] !== undefined);
  const rows = servers.map(({ id, label, settings, rates, p50_ms, p99_ms }) => [
    settings === undefined ? label : `${label}; ${settings}`,
    median(rates).toFixed(1),
    ...[p50_ms, p99_ms].map(millisecondsText),
    ratioText(rateRatio(servers, id)),
  ]);
  const text =
    `${connections} connections, each with one request under way; ${documents} documents and ${tokens.toFixed(0)} tokens per request; ` +
    `the default model. ${versions.map((name) => `${name} ${software[name]}`).join(", ")}.`;
  return [
    text,
    table(["server", "requests/s", "p50", "p99", "Ranklet's requests/s over it"], rows),
    ...(steady === undefined ? [] : [steadyText(steady)]),
  ].join("\n\n");
}

function steadyText({ seconds, requests, errors, p50_ms, p99_ms, settled_bytes, final_bytes }) {
  return (
    `\`ranklet serve\` alone for ${seconds.toFixed(0)} s: ${requests} requests, ${errors.length} errors, p50 ${millisecondsText(p50_ms)}, ` +
    `p99 ${millisecondsText(p99_ms)}; memory of the process ${megabytes(settled_bytes)} after 10 s and ${megabytes(final_bytes)} at the end.`
  );
}

/** Returns the median over turns of Ranklet's requests per second over those of another server. */
export function rateRatio(servers, id) {
  const [ours, theirs] = ["ranklet", id].map((wanted) => servers?.find((server) => server.id === wanted)?.rates);
  if (ours === undefined || theirs === undefined) return undefined;
  return median(ours.map((rate, turn) => rate / theirs[turn]));
}

/** Returns Ranklet's 99th percentile over that of another server. */
export function p99Ratio(servers, id) {
  const [ours, theirs] = ["ranklet", id].map((wanted) => servers?.find((server) => server.id === wanted)?.p99_ms);
  return ours === undefined || theirs === undefined ? undefined : ours / theirs;
}
