// Compares this build of Ranklet with another one: times for the same texts, and whether scores are the same bits.
import { resolve } from "node:path";

import { startChromium } from "../engines/chromium.mjs";
import { rankletPage, rankletProgram } from "../engines/engines.mjs";
import { closeAll, interleave, openAll } from "../measure/measure.mjs";
import { maxDifference, median } from "../measure/statistics.mjs";
import { prepareDefault } from "../models/models.mjs";

/** @param {string} baseline the repository of the other build, with target/release/ranklet and pkg/dist */
export async function versions({ site, workloads, config, notes, baseline }) {
  const [documents, repetitions] = config.versions;
  const builds = {
    baseline: { name: "baseline", program: resolve(baseline, "target/release/ranklet"), library: "/ranklet-baseline/index.js" },
    current: undefined,
  };
  const model = prepareDefault();
  // Also the workload on which scores are compared.
  const warmUp = workloads.next(documents);
  const [tokens, comparisons] = [[], []];
  for (const dtype of ["q8", "f32"]) {
    console.error(`versions, ${dtype}`);
    const browser = await startChromium(site);
    const pairs = [1, 2].flatMap((threads) =>
      [rankletProgram, rankletPage].map((engine) => {
        const [before, after] = [builds.baseline, builds.current].map((version) => engine({ browser, site, model, dtype, threads, version }));
        return { before, after };
      }),
    );
    const opened = await openAll(pairs.flatMap(({ before, after }) => [before, after]), warmUp, notes);
    const measured = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
    tokens.push(...measured.tokens);
    for (const { before, after } of pairs) comparisons.push(...comparison(before, after, opened, measured));
    await closeAll(opened);
    await browser.close();
  }
  return { documents, tokens, model: "the default model", comparisons };
}

/** Returns the comparison in an array, which is empty if one of the two builds failed. */
function comparison(before, after, opened, measured) {
  const [scores, otherScores] = [before, after].map(({ id }) => opened.find(({ engine }) => engine.id === id)?.scores);
  const [baselineMs, currentMs] = [before, after].map(({ id }) => measured.engines.find((engine) => engine.id === id)?.ms);
  if ([scores, otherScores, baselineMs, currentMs].includes(undefined)) return [];
  const { where, dtype, threads } = after;
  return [
    {
      where,
      dtype,
      threads,
      baseline_ms: baselineMs,
      current_ms: currentMs,
      ratio: median(baselineMs) / median(currentMs),
      same_bits: scores.every((score, index) => Object.is(score, otherScores[index])),
      max_difference: maxDifference(scores, otherScores),
    },
  ];
}
