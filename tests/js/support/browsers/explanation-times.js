// Times of explanations in Chromium, next to rankings of as many documents as the explained one has words.

export const query = "How do bees survive the winter?";
export const sentences = [
  "Honey bees do not sleep through the winter as many other insects do.",
  "When the days become cold, the workers gather around their queen and form a tight ball.",
  "They shiver with the muscles of their wings, and the heat keeps the middle of the hive warm.",
  "The bees outside slowly move in, and others take their places, until spring returns with flowers.",
];
/** 63 words. */
export const passage = sentences.join(" ");

/**
 * Loads the default model into one worker of a blank page. The page's scripts find it as `reranker`, with `query` and `passage`.
 * @param {string} url a site that serves the built package under `pkg/`
 */
export async function openReranker(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.evaluate(
    async (texts) => {
      const { Reranker } = await import("/pkg/index.js");
      Object.assign(globalThis, texts, { reranker: await Reranker.load(undefined, { workers: 1 }) });
      await reranker.rank(query, [passage]);
    },
    { query, passage },
  );
  return page;
}

/**
 * Explains the passage and ranks as many of it as it has words, in turns.
 * @returns {Promise<{ words: number, rounds: { firstMs: number, explainMs: number, rankMs: number, steps: number[] }[] }>} for each
 *   round the time to the first contribution, the times of the calls, and the number of pairs scored after each micro-batch
 */
export function explanationTimes(page, rounds) {
  return page.evaluate(async (rounds) => {
    const timed = async (call) => {
      const started = performance.now();
      await call();
      return performance.now() - started;
    };
    const { units } = await reranker.explain(query, passage);
    const documents = units.map(() => passage);
    const found = { words: units.length, rounds: [] };
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      const steps = [];
      let firstMs;
      const onProgress = ({ done, explanation }) => {
        if (done > 0) steps.push(done);
        firstMs ??= explanation.units.some(({ contribution }) => contribution !== 0) ? performance.now() - started : undefined;
      };
      const explainMs = await timed(() => reranker.explain(query, passage, { onProgress }));
      const rankMs = await timed(() => reranker.rerank({ query, documents }));
      found.rounds.push({ firstMs, explainMs, rankMs, steps });
    }
    return found;
  }, rounds);
}
