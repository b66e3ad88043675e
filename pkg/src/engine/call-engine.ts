import { fromEngine, messageOf, RankletError } from "../errors.js";
import { rejectOnTrap } from "./reject-on-trap.js";
import { markDamaged } from "./start.js";

/** Calls the engine. After a trap its memory may be invalid, so the engine is not used any more. */
export function callEngine<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    throw fromEngine(error) ?? markDamaged(error, messageOf(error));
  }
}

/** As `callEngine`, for an asynchronous call. */
export async function callEngineAsync<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await rejectOnTrap(call);
  } catch (error) {
    throw fromEngine(error) ?? markDamaged(error, messageOf(error));
  }
}

/** Frees an object of the engine. After a trap this can fail too, which must not hide the trap. */
export function freeQuietly(owner: { free(): void }): void {
  try {
    owner.free();
  } catch {
    // Its memory is freed when the worker, page or process ends.
  }
}
