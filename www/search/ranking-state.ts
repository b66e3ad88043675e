import { element, setText } from "../ui/dom.js";

/** How far Ranklet's order is. */
export type Settling = "idle" | "waiting" | "settling" | "stopped" | "final";

/** Marks Ranklet's list as final, or as not yet. */
export function showSettling(state: Settling, progress?: { readonly done: number; readonly total: number }): void {
  element("ranklet-column", HTMLElement).dataset["settling"] = state;
  const texts: Readonly<Record<Settling, string>> = {
    idle: "",
    waiting: "not read yet",
    settling: `settling, ${progress?.done ?? 0} of ${progress?.total ?? 0}`,
    stopped: "cancelled, partial",
    final: "final",
  };
  setText(element("settling", HTMLElement), texts[state]);
}
