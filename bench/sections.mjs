// The parts of a run. Each gives its part of the report and leaves nothing open.
import { startChromium, startProfile, withoutVnni } from "./chromium.mjs";
import { onnxruntimeProgram, rankletPage, rankletProgram, transformersPages } from "./engines.mjs";
import { attempt, closeAll, interleave, openAll } from "./measure.mjs";
import { kendallTau, largestDifference } from "./statistics.mjs";

/** Tokens of a pair where all are to be alike. */
const equalTokens = 40;

/** Tokens of a passage for the shapes of families, as BERT's tokenizer counts. */
const passageTokens = 100;

/** Loads that fill the caches before any is measured: files, then compiled code. */
const cacheFillingLoads = 2;

/**
 * Everything against everything at every size, q8 and f32 apart; and whether the rankings agree.
 * @returns {Promise<{ sizes: object[], agreement: object[] }>}
 */
export async function speed({ site, python, model, works, extent, notes }) {
  const sizes = extent.speed.map(([documents]) => ({ documents, tokens: [], engines: [] }));
  const agreement = [];
  // What the rankings are compared on also warms everything up.
  const warmUp = works.next(Math.min(100, extent.speed.at(-1)[0]));
  for (const dtype of ["q8", "f32"]) {
    console.error(`speed, ${dtype}`);
    const browser = await startChromium(site);
    const both = { browser, site, python, model, dtype };
    const opened = await openAll(
      [
        ...[1, 2].flatMap((threads) => [
          rankletPage({ ...both, threads }),
          ...transformersPages({ ...both, threads }),
          rankletProgram({ ...both, threads }),
          onnxruntimeProgram({ ...both, threads }),
          ...(dtype === "f32" ? [rankletProgram({ ...both, threads, device: "candle" })] : []),
        ]),
        ...(dtype === "q8" ? [rankletPage({ ...both, threads: 1, build: "simd128" })] : []),
      ].filter(({ id }) => extent.engines.test(id)),
      warmUp,
      notes,
    );
    agreement.push(...opened.map(({ engine, scores }) => ({ id: engine.id, scores })));
    for (const [at, [documents, repetitions]] of extent.speed.entries()) {
      const measured = await interleave(opened, { documents, repetitions, nextWork: () => works.next(documents) }, notes);
      sizes[at].tokens.push(...measured.tokens);
      sizes[at].engines.push(...measured.engines);
    }
    await closeAll(opened);
    await browser.close();
  }
  return { sizes, agreement: agreements(agreement, warmUp.documents.length) };
}

/** Each engine's scores against those of transformers.js in f32, all of one work. */
function agreements(scored, documents) {
  const reference = scored.find(({ id }) => id === "chromium/transformers.js-sorted/f32/1");
  if (reference === undefined) return [];
  return scored.map(({ id, scores }) => ({
    id,
    documents,
    tau: kendallTau(scores, reference.scores),
    largest_difference: largestDifference(scores, reference.scores),
  }));
}

/** Both engines where V8 does without AVX-VNNI. */
export async function noVnni({ site, model, works, extent, notes }) {
  console.error("Chromium without AVX-VNNI");
  const [documents, repetitions] = extent.noVnni;
  const browser = await startChromium(site, [withoutVnni]);
  const both = { browser, site, model, dtype: "q8", threads: 1 };
  const engines = [rankletPage(both), rankletPage({ ...both, build: "simd128" }), transformersPages(both)[0]];
  const opened = await openAll(engines, works.next(documents), notes);
  const measured = await interleave(opened, { documents, repetitions, nextWork: () => works.next(documents) }, notes);
  await closeAll(opened);
  await browser.close();
  return measured;
}

/** The usual shapes of BERT, with two threads. */
export async function shapes({ site, python, models, works, extent, notes }) {
  const [documents, repetitions] = extent.shape;
  const measured = [];
  for (const model of models) {
    console.error(`shapes, ${model.name}`);
    const browser = await startChromium(site);
    const both = { browser, site, python, model, threads: 2 };
    const opened = await openAll(
      [
        rankletPage({ ...both, dtype: "q8" }),
        transformersPages({ ...both, dtype: "q8" })[0],
        ...["q8", "f32"].flatMap((dtype) => [rankletProgram({ ...both, dtype }), onnxruntimeProgram({ ...both, dtype })]),
      ],
      works.next(documents),
      notes,
    );
    const result = await interleave(opened, { documents, repetitions, nextWork: () => works.next(documents) }, notes);
    measured.push({ model: model.name, ...result });
    await closeAll(opened);
    await browser.close();
  }
  return measured;
}

/** From the import of the library to the first score: with empty caches, and with full ones in a new page. */
export async function load({ site, model, extent, notes }) {
  console.error("load");
  const settings = { site, model, dtype: "q8", threads: 1 };
  const sides = [];
  for (const make of [(browser) => rankletPage({ ...settings, browser }), (browser) => transformersPages({ ...settings, browser })[0]]) {
    const browser = await startProfile(site);
    sides.push({ browser, engine: () => make(browser), warm_ms: [] });
  }
  const once = async (side) => {
    const engine = side.engine();
    return attempt(engine, notes, async () => {
      const runner = await engine.open();
      // The peer writes its cache behind the caller's back.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await runner.close();
      return runner.loaded;
    });
  };
  for (const side of sides) {
    const before = site.answers.length;
    const loaded = await once(side);
    if (loaded === undefined) continue;
    side.cold_ms = loaded.first_score_ms;
    side.files = site.answers.slice(before);
    for (let fill = 1; fill < cacheFillingLoads; fill++) await once(side);
  }
  for (let repetition = 0; repetition < extent.loads; repetition++) {
    for (const side of sides) {
      const before = site.answers.length;
      const loaded = await once(side);
      if (loaded === undefined) continue;
      side.warm_ms.push(loaded.first_score_ms);
      side.warm_files = site.answers.slice(before);
    }
  }
  for (const { browser } of sides) await browser.close();
  // The bench's own files are not what is measured.
  const total = (files) => files?.filter(({ path }) => !path.startsWith("/page/")).reduce((sum, { bytes }) => sum + bytes, 0);
  return sides.map(({ engine, cold_ms, warm_ms, files, warm_files }) => ({
    id: engine().id,
    cold_ms,
    warm_ms,
    bytes: total(files),
    warm_bytes: total(warm_files),
    files,
  }));
}

/** The most memory each side takes, each in a browser or process of its own. */
export async function memory({ site, python, model, works, extent, notes }) {
  console.error("memory");
  const work = works.next(extent.memory);
  const measured = [];
  for (const dtype of ["q8", "f32"]) {
    const both = { site, python, model, dtype, threads: 1, watch: true };
    const pages = [
      // On the page's thread, where WebAssembly's memory can be looked at; and as usual, in a worker.
      (browser) => rankletPage({ ...both, browser, threads: 0 }),
      (browser) => rankletPage({ ...both, browser, watch: false }),
      (browser) => transformersPages({ ...both, browser })[0],
      (browser) => transformersPages({ ...both, browser })[1],
    ];
    for (const page of pages) {
      const browser = await startChromium(site);
      const engine = page(browser);
      const found = await attempt(engine, notes, async () => {
        const runner = await engine.open();
        await runner.score(work);
        return {
          id: engine.id,
          loaded_wasm_bytes: runner.loaded.loaded_wasm_bytes,
          wasm_bytes: runner.loaded.loaded_wasm_bytes === undefined ? undefined : await runner.wasmBytes(),
          process_bytes: await browser.peakBytes(),
        };
      });
      if (found !== undefined) measured.push(found);
      await browser.close();
    }
    for (const engine of [rankletProgram(both), rankletProgram({ ...both, device: "candle" }), onnxruntimeProgram(both)]) {
      const found = await attempt(engine, notes, async () => {
        const runner = await engine.open();
        const { peak_bytes } = await runner.score(work);
        await runner.close();
        return { id: engine.id, loaded_process_bytes: runner.loaded.peak_bytes, process_bytes: peak_bytes ?? undefined };
      });
      if (found !== undefined) measured.push(found);
    }
  }
  return { documents: extent.memory, tokens: work.tokens, engines: measured };
}

/** What the shapes of other families take: to load, in memory as predicted and as it is, and to score. */
export async function families({ site, python, works, extent, notes, prepare }) {
  const measured = [];
  for (const name of extent.families) {
    console.error(`families, ${name}`);
    const model = await attempt({ id: name }, notes, async () => prepare(name));
    if (model === undefined) continue;
    const work = works.equal(extent.family, passageTokens);
    const settings = { site, python, model, dtype: "q8", threads: 1 };
    const engines = [];
    const measure = (engine, more) =>
      attempt(engine, notes, async () => {
        const runner = await engine.open();
        await runner.score(work);
        const scored = await runner.score(work);
        const { load_ms, memory_bytes } = runner.loaded;
        const told = { id: engine.id, load_ms, predicted_bytes: memory_bytes, ms: scored.ms, tokens: scored.tokens };
        engines.push({ ...told, ...(await more(runner, scored)) });
        await runner.close();
      });
    for (const dtype of ["q8", "f32"]) {
      await measure(rankletProgram({ ...settings, dtype }), ({ loaded }, { peak_bytes }) => ({
        loaded_bytes: loaded.peak_bytes ?? undefined,
        peak_bytes: peak_bytes ?? undefined,
      }));
    }
    const browser = await startChromium(site);
    // On the page's thread, where WebAssembly's memory can be looked at.
    await measure(rankletPage({ ...settings, browser, threads: 0, watch: true }), async (runner) => ({
      loaded_bytes: runner.loaded.loaded_wasm_bytes,
      peak_bytes: await runner.wasmBytes(),
      process_bytes: await browser.peakBytes(),
    }));
    await browser.close();
    measured.push({ model: name, bytes: model.bytes, documents: work.documents.length, engines });
  }
  return measured;
}

/** Time per document as there are more and more of one length. */
export async function flat({ site, model, works, extent, notes }) {
  console.error("flat");
  const browser = await startChromium(site);
  const both = { browser, site, model, dtype: "q8", threads: 1 };
  const opened = await openAll([rankletPage(both), rankletProgram(both)], works.equal(50, equalTokens), notes);
  const sizes = [];
  for (const [documents, repetitions] of extent.flat) {
    sizes.push(await interleave(opened, { documents, repetitions, nextWork: () => works.equal(documents, equalTokens) }, notes));
  }
  await closeAll(opened);
  await browser.close();
  return { tokens_each: equalTokens, sizes };
}
