// If a GPU fails, the CPU takes over, and every call is scored again from its start, because the scores of the two devices
// differ slightly and must not be mixed in one ranking. A call may consist of several jobs and of several scoring runs in
// several engines, so the protocol has three steps:
//
// 1. Rust. The session replaces the GPU engine by a CPU engine, once (`Session::fall_back`). Each scoring run notices, drops
//    its scores, and returns `PartialScores::restarted` (src/reranker/scoring_run.rs). A Rust caller just starts over.
// 2. WebAssembly. A binding scores one job, which may be only a part of a call, so it cannot start the call over. It throws
//    `device-lost` instead of returning a restarted result (`finish_step`, src/wasm/mod.rs). `Engine` then reads the model's info
//    again: its device is now "cpu". A worker sends that info with the error (worker/protocol.ts, "failed").
// 3. JavaScript. `fellBackToCpu` recognizes the error of step 2: `device-lost` although the device is "cpu". The call drops
//    its scores and starts over, once: `withRestart` for calls that yield, `withOneRestart` for the others. A stream
//    over an iterable that is not an array cannot, because its documents are gone; it ends with `device-lost`.
import { isDeviceLost, RankletError } from "../errors.js";
import type { Backend } from "../types.js";
import type { Scorer } from "./scorer.js";

/** Whether a call failed because its GPU was lost, and the CPU has taken over, so that the call can start over. */
function fellBackToCpu(error: unknown, { info }: Scorer): boolean {
  return isDeviceLost(error) && info.backend.device === "cpu";
}

/**
 * Checks that a call can go on. Between two of its jobs, or while it waits for scores of another call, the CPU may have taken over.
 * @param device what computed the scores of the call so far
 * @throws RankletError `device-lost`, after which the call starts over
 */
export function expectSameDevice({ info }: Scorer, device: Backend["device"]): void {
  if (info.backend.device !== device) throw new RankletError("device-lost", info.backend.reason);
}

/** Runs a call that returns one result. It starts over, once, if the CPU takes over. */
export async function withOneRestart<T>(scorer: Scorer, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!fellBackToCpu(error, scorer)) throw error;
    return call();
  }
}

/**
 * Yields the results of a call, which starts over, once, if the CPU takes over.
 * @param results starts the call
 * @param restart drops the results so far
 */
export async function* withRestart<T>(scorer: Scorer, results: () => AsyncIterable<T>, restart: () => void): AsyncGenerator<T, void> {
  try {
    yield* results();
  } catch (error) {
    if (!fellBackToCpu(error, scorer)) throw error;
    restart();
    yield* results();
  }
}
