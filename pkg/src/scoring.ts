import { follow, throwIfAborted } from "./abort.js";
import { Channel } from "./channel.js";
import type { Call, Part, Scorer, Work } from "./scorer.js";

/** What a call adds up to. */
export interface Totals {
  tokens: number;
  engineMs: number;
}

/** Scores `works` one after the other; each part is told as it comes. */
export async function scoreAll(scorer: Scorer, works: Iterable<Work>, call: Call): Promise<Totals> {
  const totals: Totals = { tokens: 0, engineMs: 0 };
  const onPart = (part: Part): void => {
    totals.tokens += part.tokens;
    totals.engineMs += part.engineMs;
    call.onPart(part);
  };
  for (const work of works) await scorer.score(work, { ...call, onPart });
  return totals;
}

/**
 * Scores a work and gives its parts as they come, all that have come since the last time at once. Nothing runs before
 * the first is asked for, and a reader that leaves ends the work.
 */
export async function* scoreInParts(scorer: Scorer, work: Work, { scores, signal }: Omit<Call, "onPart">): AsyncGenerator<Part[], void> {
  const parts = new Channel<Part>();
  const controller = new AbortController();
  const release = follow(controller, signal);
  scorer.score(work, { scores, signal: controller.signal, onPart: (part) => parts.push(part) }).then(
    () => parts.end(),
    (error: unknown) => parts.end({ error }),
  );
  try {
    for await (const come of parts) {
      // A slow reader gets nothing that was held for it when the call is over.
      throwIfAborted(controller.signal);
      yield come;
    }
    throwIfAborted(controller.signal);
  } finally {
    release();
    controller.abort();
  }
}
