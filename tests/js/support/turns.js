import assert from "node:assert/strict";

/** Asserts of concurrent calls, whose names are listed at each of their progress, that each one got on before another ended. */
export function assertTurns(turns) {
  const calls = new Set(turns);
  assert.ok(calls.size > 1, `turns: ${turns}`);
  const lastOfFirst = Math.min(...Array.from(calls, (call) => turns.lastIndexOf(call)));
  for (const call of calls) assert.ok(turns.indexOf(call) < lastOfFirst || turns.lastIndexOf(call) === lastOfFirst, `turns: ${turns}`);
}
