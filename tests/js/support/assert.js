import assert from "node:assert/strict";

/** Asserts that `call` rejects with a RankletError of this code whose message matches. */
export async function rejectsWith(code, message, call) {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof Error, `${String(error)} is an Error`);
    assert.equal(error.name, "RankletError", error.stack);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Asserts that two lists of numbers agree within `tolerance`, an absolute bound. */
export function assertClose(actual, expected, tolerance, what) {
  assert.equal(actual.length, expected.length, `${what}: how many`);
  for (const [at, value] of Array.from(actual).entries()) {
    const difference = Math.abs(value - expected[at]);
    assert.ok(difference <= tolerance, `${what}[${at}]: ${value} and ${expected[at]} differ by ${difference}`);
  }
}
