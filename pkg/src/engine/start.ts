import { messageOf, RankletError } from "../errors.js";
import { initSync } from "../wasm/ranklet.js";

let started = false;
let damage: RankletError | undefined;

/**
 * Starts the engine on this thread, once for all models.
 * @throws RankletError `unsupported` if the runtime cannot instantiate it, `out-of-memory`, `internal` after a trap
 */
export function startEngine(module: WebAssembly.Module): void {
  if (damage !== undefined) throw damage;
  if (started) return;
  // Seeds of hash tables. Without this check, the engine would trap.
  if (typeof globalThis.crypto?.getRandomValues !== "function") {
    throw new RankletError(
      "unsupported",
      "this runtime has no crypto.getRandomValues, which the engine needs; in Node, use version 20.19 or later",
    );
  }
  try {
    initSync({ module });
  } catch (error) {
    const code = (error as Error | undefined)?.name === "RangeError" ? "out-of-memory" : "unsupported";
    throw new RankletError(code, `the engine cannot be started: ${messageOf(error)}`, { cause: error });
  }
  started = true;
}

/** Returns the error of a damaged engine, which must not be used any more. */
export function engineDamage(): RankletError | undefined {
  return damage;
}

/** Marks this thread's engine as damaged by a trap, after which its memory may be invalid. Returns the error to throw. */
export function markDamaged(trap: unknown, message: string): RankletError {
  const failure = `the engine failed (${message})`;
  damage ??= new RankletError("internal", `${failure} and cannot be used again on this thread; use a worker, which can be replaced`, {
    cause: trap,
  });
  return new RankletError("internal", failure, { cause: trap });
}
