import { follow, throwIfAborted } from "../util/abort.js";
import { Channel } from "../util/async-queue.js";
import { relocated } from "../errors.js";
import type { Call, Part, Scorer, Work } from "./scorer.js";

/** What a call adds up to. */
export interface Totals {
  tokens: number;
  engineMs: number;
}

/** A micro-batch, scored; `places` says which pairs of the call it is of. */
export interface PlacedPart extends Part {
  readonly places: Uint32Array;
}

/** How to score, and who hears of it. */
interface PlacedCall extends Omit<Call, "onPart"> {
  readonly onPart: (part: PlacedPart) => void;
}

/** Scores `works` one after the other; each part is told as it comes. */
export async function scoreAll(scorer: Scorer, works: Iterable<Work>, call: PlacedCall): Promise<Totals> {
  const totals: Totals = { tokens: 0, engineMs: 0 };
  const onPart = (part: PlacedPart): void => {
    totals.tokens += part.tokens;
    totals.engineMs += part.engineMs;
    call.onPart(part);
  };
  let first = 0;
  for (const work of works) first += await scorePlaced(scorer, work, first, { ...call, onPart });
  return totals;
}

/**
 * Scores a work and gives its parts as they come, all that have come since the last time at once. Nothing runs before
 * the first is asked for, and a reader that leaves ends the work.
 * @param first the place of the work's first pair in the call
 */
export async function* scoreInParts(
  scorer: Scorer,
  work: Work,
  first: number,
  { scores, signal }: Omit<Call, "onPart">,
): AsyncGenerator<PlacedPart[], void> {
  const parts = new Channel<PlacedPart>();
  const controller = new AbortController();
  const release = follow(controller, signal);
  scorePlaced(scorer, work, first, { scores, signal: controller.signal, onPart: (part) => parts.push(part) }).then(
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

/** Scores a work whose first pair is the call's pair `first`; gives the number of pairs scored. */
async function scorePlaced(scorer: Scorer, work: Work, first: number, call: PlacedCall): Promise<number> {
  let done = 0;
  const onPart = (part: Part, places?: Uint32Array): void => {
    const pairs = places?.length ?? part.scores.length / scorer.info.numLabels;
    call.onPart({ ...part, places: Uint32Array.from({ length: pairs }, (_, at) => first + (places?.[at] ?? done + at)) });
    done += pairs;
  };
  try {
    await scorer.score(work, { ...call, onPart });
  } catch (error) {
    throw relocated(error, (pair) => first + pair);
  }
  return done;
}
