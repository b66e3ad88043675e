import { element, setText } from "../ui/dom.js";

/** How far Ranklet's order is. */
export type RankingState = "idle" | "pending" | "ranking" | "stopped" | "final";

/** Marks Ranklet's list as final, or as not yet. */
export function showRankingState(state: RankingState, progress?: { readonly done: number; readonly total: number }): void {
  element("ranklet-column", HTMLElement).dataset["rankingState"] = state;
  const texts: Readonly<Record<RankingState, string>> = {
    idle: "",
    pending: "not read yet",
    ranking: `settling, ${progress?.done ?? 0} of ${progress?.total ?? 0}`,
    stopped: "cancelled, partial",
    final: "final",
  };
  setText(element("ranking-state", HTMLElement), texts[state]);
}
