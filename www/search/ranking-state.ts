import { element, setText } from "../ui/dom.js";

/** The state of Ranklet's ranking. */
export type RankingState = "idle" | "pending" | "ranking" | "stopped" | "failed" | "final";

/** Shows the state of the ranking in Ranklet's column. */
export function showRankingState(state: RankingState, progress?: { readonly done: number; readonly total: number }): void {
  element("ranklet-column", HTMLElement).dataset["rankingState"] = state;
  const texts: Readonly<Record<RankingState, string>> = {
    idle: "",
    pending: "not ranked yet",
    ranking: `ranking, ${progress?.done ?? 0} of ${progress?.total ?? 0}`,
    stopped: "canceled, incomplete",
    failed: "failed, incomplete",
    final: "final",
  };
  setText(element("ranking-state", HTMLElement), texts[state]);
}
