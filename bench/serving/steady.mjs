import { percentile, runLoad } from "./load-generator.mjs";
import { residentBytes } from "./servers.mjs";

/** The time after which buffers and connections have their final size. */
const settledSeconds = 10;

/**
 * Loads a server and compares its memory after ten seconds with that at the end.
 * @param {{ url: string, pid: number }} server
 * @param {object} load as for `runLoad`, without `url`; at least eleven seconds
 */
export async function steadyLoad({ url, pid }, load) {
  let settledBytes;
  const timer = setTimeout(() => (settledBytes = residentBytes(pid)), settledSeconds * 1000);
  const { seconds, latencies, errors } = await runLoad({ ...load, url });
  clearTimeout(timer);
  return {
    seconds,
    requests: latencies.length,
    errors,
    ...times(latencies),
    settled_bytes: settledBytes,
    final_bytes: residentBytes(pid),
  };
}

/** Returns the median and the 99th percentile of latencies. */
export function times(latencies) {
  return { p50_ms: percentile(latencies, 0.5), p99_ms: percentile(latencies, 0.99) };
}
