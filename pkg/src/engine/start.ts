import { initSync } from "../wasm/ranklet.js";

import { RankletError, messageOf } from "../errors.js";

let started = false;
let damage: RankletError | undefined;

/**
 * Starts the engine in this thread, once for all models.
 * @throws RankletError `unsupported` where the runtime cannot instantiate it, `internal` after a trap
 */
export function startEngine(module: WebAssembly.Module): void {
  if (damage !== undefined) throw damage;
  if (started) return;
  try {
    initSync({ module });
  } catch (error) {
    throw new RankletError("unsupported", `the engine does not start: ${messageOf(error)}`, { cause: error });
  }
  started = true;
}

/** Why the engine of this thread must not be used any more, if so. */
export function engineDamage(): RankletError | undefined {
  return damage;
}

/** Remembers a trap, after which nothing is known of the engine's memory; returns the error to throw. */
export function markDamaged(trap: unknown, message: string): RankletError {
  damage ??= new RankletError("internal", `the engine of this thread failed (${message}) and cannot be used again`, { cause: trap });
  return damage;
}
