import type { CollectionRanking } from "../../pkg/dist/index.js";
import { element, setText } from "../ui/dom.js";
import { duration } from "../ui/format.js";

/** Shows the time and the size of a ranking and the backend that computed it. */
export function showStats(ranking: CollectionRanking<string> | undefined): void {
  const stats: Readonly<Record<string, string | undefined>> = {
    time: ranking && duration(ranking.timings.totalMs),
    tokens: ranking?.usage.tokens.toLocaleString("en"),
    scored: ranking && `${ranking.done} of ${ranking.total}`,
    device: ranking?.backend.device,
    engine: ranking?.backend.engine,
    dtype: ranking?.backend.dtype,
  };
  for (const [id, value] of Object.entries(stats)) setText(element(`stat-${id}`, HTMLElement), value ?? "–");
}
