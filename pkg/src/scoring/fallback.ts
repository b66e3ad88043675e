import { isDeviceLost } from "../errors.js";
import type { Scorer } from "./scorer.js";

/** Whether a call failed with its GPU and can begin again: scores of GPU and CPU are not to stand side by side in one. */
export function fellBackToCpu(error: unknown, { info }: Scorer): boolean {
  return isDeviceLost(error) && info.backend.device === "cpu";
}

/**
 * The parts of a call, which begins again, once, where the CPU takes over from a GPU.
 * @param restart drops what has come
 */
export async function* withRestart<T>(scorer: Scorer, parts: () => AsyncIterable<T>, restart: () => void): AsyncGenerator<T, void> {
  try {
    yield* parts();
  } catch (error) {
    if (!fellBackToCpu(error, scorer)) throw error;
    restart();
    yield* parts();
  }
}
