/** Resolves once a condition, which may be asynchronous, holds. Rejects if it does not within `maxMs`. */
export async function until(condition, maxMs = 60_000) {
  const end = performance.now() + maxMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${maxMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
