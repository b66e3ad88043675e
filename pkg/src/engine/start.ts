import { initSync } from "../wasm/ranklet.js";

import { RankletError, messageOf } from "../errors.js";

let started = false;
let damage: RankletError | undefined;

/**
 * Starts the engine in this thread, once for all models.
 * @throws RankletError `unsupported` where the runtime cannot instantiate it, `out-of-memory`, `internal` after a trap
 */
export function startEngine(module: WebAssembly.Module): void {
  if (damage !== undefined) throw damage;
  if (started) return;
  try {
    initSync({ module });
  } catch (error) {
    const code = error instanceof RangeError ? "out-of-memory" : "unsupported";
    throw new RankletError(code, `the engine does not start: ${messageOf(error)}`, { cause: error });
  }
  started = true;
}

/** Why the engine of this thread must not be used any more, if so. */
export function engineDamage(): RankletError | undefined {
  return damage;
}

/** Remembers a trap, after which nothing is known of the engine's memory; returns the error to throw. */
export function markDamaged(trap: unknown, message: string): RankletError {
  const what = `the engine failed (${message})`;
  damage ??= new RankletError("internal", `${what} and cannot be used again on this thread; a worker could be replaced`, { cause: trap });
  return new RankletError("internal", what, { cause: trap });
}
