// Compares this build of Ranklet with that of another revision: times of the same calls, and whether scores are the same bits.
import { execFileSync } from "node:child_process";
import os from "node:os";
import { resolve } from "node:path";

import { startChromium, startProfile } from "../engines/chromium.mjs";
import { rankletPage, rankletProgram, warmUpWorkload } from "../engines/engines.mjs";
import { loadInNode, startRanklet } from "../engines/native.mjs";
import { descendantsMs } from "../measure/processor-time.mjs";
import { maxDifference } from "../measure/statistics.mjs";
import { prepareDefault } from "../models/models.mjs";
import { inRepository } from "../paths.mjs";

/** The number of loads that fill a browser's caches: the first one caches files, the second one compiled code. */
const cacheFillingLoads = 2;

const builds = {
  baseline: { name: "baseline", root: inRepository(".build/against"), library: "/ranklet-baseline/index.js" },
  current: { name: "current", root: inRepository("."), library: "/ranklet/index.js" },
};
for (const build of Object.values(builds)) build.program = resolve(build.root, "target/release/ranklet");

/** @returns {Promise<{ baseline: string, documents: number, tokens: number[], typed: [number, number], comparisons: object[] }>} */
export async function versions({ site, workloads, config, notes, against, parts, prepare }) {
  const { documents, repetitions, loads } = config.versions;
  const warmUp = workloads.next(documents);
  const texts = Array.from({ length: repetitions }, () => workloads.next(documents));
  const model = prepareDefault();
  const scored = { warmUp, texts };
  const comparisons = [];
  const compare = async (about, measure) => {
    console.error(`  ${Object.values(about).join(", ")}`);
    try {
      comparisons.push({ ...about, ...(await measure()) });
    } catch (error) {
      notes.push({ id: Object.values(about).join("/"), error: error.message, unsupported: false });
      console.error(`    FAILED: ${error.message}`);
    }
  };
  if (parts.includes("native")) {
    for (const dtype of ["q8", "f32"]) {
      for (const threads of new Set([1, os.availableParallelism()])) {
        const open = (version) => rankletProgram({ model, dtype, threads, version }).open();
        await compare({ what: "score", where: "native", dtype, threads }, () => compareScores(open, scored));
      }
    }
    await compare({ what: "load", where: "native", dtype: "q8", threads: 1 }, () => compareLoads((version) => loadProgram(version), loads));
  }
  if (parts.includes("browser")) {
    const browser = await startChromium(site);
    for (const build of ["relaxed", "simd128"]) {
      const open = async (version) => {
        const runner = await rankletPage({ browser, site, model, dtype: "q8", threads: 1, version, build }).open();
        const { file } = runner.loaded.backend;
        if (file.includes("relaxed") !== (build === "relaxed")) throw new Error(`the page loaded ${file}`);
        return runner;
      };
      await compare({ what: "score", where: `Chromium, ${build}`, dtype: "q8", threads: 1 }, () => compareScores(open, scored));
    }
    const typed = { warmUp, texts: Array.from({ length: repetitions }, () => workloads.typed(...config.versions.typed)).flat() };
    const openTyped = (version) => rankletPage({ browser, site, model, dtype: "q8", threads: 2, version }).open();
    await compare({ what: "type", where: "Chromium", dtype: "q8", threads: 2 }, () => compareScores(openTyped, typed));
    await compare({ what: "load", where: "Chromium, empty caches", dtype: "q8", threads: "auto" }, () =>
      compareLoads((version) => loadPage(browser, version), loads),
    );
    await browser.close();
    await compare({ what: "load", where: "Chromium, full caches", dtype: "q8", threads: "auto" }, () => compareCachedLoads(site, loads));
  }
  if (parts.includes("node")) {
    await compare({ what: "load", where: `Node ${process.versions.node}`, dtype: "q8", threads: "auto" }, () =>
      compareLoads(({ root }) => loadInNode(`${root}/pkg/dist`, warmUpWorkload), loads),
    );
  }
  if (parts.includes("large")) {
    const large = prepare("bge-reranker-large");
    const browser = await startChromium(site);
    await compare({ what: "load", where: `Chromium, ${large.name}`, dtype: "q8", threads: "auto" }, () =>
      compareLoads((version) => loadLarge(browser, site, large, version), loads),
    );
    await browser.close();
  }
  const git = (...args) => execFileSync("git", args, { encoding: "utf8", cwd: inRepository(".") }).trim();
  return {
    baseline: git("log", "-1", "--format=%h, %cs, %s", against),
    documents,
    tokens: texts.map(({ tokens }) => tokens),
    typed: config.versions.typed,
    comparisons,
  };
}

/** Scores the same new texts with both builds in each repetition. */
async function compareScores(open, { warmUp, texts }) {
  const runners = {};
  try {
    const scores = {};
    for (const [name, version] of Object.entries(builds)) {
      runners[name] = await open(version);
      scores[name] = await scoresOf(runners[name], warmUp);
    }
    const times = await inTurns(texts.length, async ({ name }, repetition) => {
      const { ms } = await checked(runners[name], texts[repetition]);
      return { ms };
    });
    const { baseline, current } = scores;
    return {
      ...times,
      files: Object.values(runners).map(({ loaded }) => loaded.backend?.file),
      same_bits: current.every((score, index) => Object.is(score, baseline[index])),
      max_difference: maxDifference(current, baseline),
    };
  } finally {
    for (const runner of Object.values(runners)) await runner.close();
  }
}

async function scoresOf(runner, workload) {
  return (await checked(runner, workload)).scores;
}

async function checked(runner, workload) {
  const answer = await runner.score(workload);
  if (answer.scores.length !== workload.documents.length || answer.tokens !== workload.tokens)
    throw new Error("not every token was scored");
  return answer;
}

/** Loads both builds in each repetition. */
async function compareLoads(load, loads) {
  await load(builds.baseline).then(({ close }) => close?.());
  await load(builds.current).then(({ close }) => close?.());
  return inTurns(loads, load);
}

/** Loads both builds in new pages of a profile whose caches are full. */
async function compareCachedLoads(site, loads) {
  const profiles = {};
  try {
    for (const [name, version] of Object.entries(builds)) {
      profiles[name] = await startProfile(site);
      for (let fill = 0; fill < cacheFillingLoads; fill++) {
        const { close } = await loadPage(profiles[name], version);
        // Chromium writes compiled code into its cache after the call.
        await new Promise((done) => setTimeout(done, 2000));
        await close();
      }
    }
    return await inTurns(loads, (version) => loadPage(profiles[version.name], version));
  } finally {
    for (const profile of Object.values(profiles)) await profile.close();
  }
}

/** Starts the program with the embedded model. The time begins with the process. */
async function loadProgram({ program }) {
  const started = performance.now();
  const runner = await startRanklet({ program, device: "cpu", dtype: "q8", threads: 1 });
  await runner.score(warmUpWorkload);
  return { ms: performance.now() - started, close: () => runner.close() };
}

/** Loads the embedded model in a new page. The time begins with the import. */
async function loadPage(browser, { library }) {
  const page = await browser.open("ranklet");
  const { first_score_ms: ms } = await page.load({ library, options: { device: "cpu" }, warmUp: warmUpWorkload });
  return { ms, close: () => page.close() };
}

/** Downloads a large model in a new page, and rounds it to q8. Without the cache, which would store gigabytes. */
async function loadLarge(browser, { url }, { name }, { library }) {
  const page = await browser.open("ranklet");
  const options = { baseUrl: `${url}models`, dtype: "q8", device: "cpu", cache: false };
  const { first_score_ms: ms } = await page.load({ library, model: `bench/${name}`, options, warmUp: warmUpWorkload });
  return { ms, close: () => page.close() };
}

/**
 * Runs a step for both builds in each repetition, in alternating order.
 * @param {(build: object, repetition: number) => Promise<{ ms: number, processor_ms?: number, close?: () => Promise<void> }>} step
 */
async function inTurns(repetitions, step) {
  const times = { baseline: { ms: [], processor_ms: [] }, current: { ms: [], processor_ms: [] } };
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const order = Object.values(builds);
    if (repetition % 2 === 1) order.reverse();
    for (const build of order) {
      const before = descendantsMs();
      const { ms, close, processor_ms: own } = await step(build, repetition);
      const after = descendantsMs();
      times[build.name].ms.push(ms);
      times[build.name].processor_ms.push(own ?? (before === undefined || after === undefined ? undefined : after - before));
      await close?.();
    }
  }
  return times;
}
