// Times of the engines: at all sizes, without AVX-VNNI, for larger shapes, and per document for growing numbers.
import { startChromium, withoutVnni } from "../engines/chromium.mjs";
import { onnxruntimeProgram, rankletPage, rankletProgram, transformersPages } from "../engines/engines.mjs";
import { closeAll, interleave, openAll } from "../measure/measure.mjs";
import { kendallTau, maxDifference } from "../measure/statistics.mjs";

/** Tokens per pair in workloads whose pairs have the same length. */
const tokensPerPair = 40;

/**
 * Measures all engines at all sizes, first in q8, then in f32, and how well their rankings agree.
 * @returns {Promise<{ sizes: object[], agreement: object[] }>}
 */
export async function speed({ site, python, model, workloads, config, notes }) {
  const sizes = config.speed.map(([documents]) => ({ documents, tokens: [], engines: [] }));
  const agreement = [];
  // Also the workload on which rankings are compared.
  const warmUp = workloads.next(Math.min(100, config.speed.at(-1)[0]));
  for (const dtype of ["q8", "f32"]) {
    console.error(`speed, ${dtype}`);
    const browser = await startChromium(site);
    const common = { browser, site, python, model, dtype };
    const opened = await openAll(
      [
        ...[1, 2].flatMap((threads) => [
          rankletPage({ ...common, threads }),
          ...transformersPages({ ...common, threads }),
          rankletProgram({ ...common, threads }),
          onnxruntimeProgram({ ...common, threads }),
          ...(dtype === "f32" ? [rankletProgram({ ...common, threads, device: "candle" })] : []),
        ]),
        ...(dtype === "q8" ? [rankletPage({ ...common, threads: 1, build: "simd128" })] : []),
      ].filter(({ id }) => config.engines.test(id)),
      warmUp,
      notes,
    );
    agreement.push(...opened.map(({ engine, scores }) => ({ id: engine.id, scores })));
    for (const [at, [documents, repetitions]] of config.speed.entries()) {
      const measured = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
      sizes[at].tokens.push(...measured.tokens);
      sizes[at].engines.push(...measured.engines);
    }
    await closeAll(opened);
    await browser.close();
  }
  return { sizes, agreement: agreements(agreement, warmUp.documents.length) };
}

/** Compares each engine's scores with those of transformers.js in f32 for the same workload. */
function agreements(scored, documents) {
  const reference = scored.find(({ id }) => id === "chromium/transformers.js-sorted/f32/1");
  if (reference === undefined) return [];
  return scored.map(({ id, scores }) => ({
    id,
    documents,
    tau: kendallTau(scores, reference.scores),
    max_difference: maxDifference(scores, reference.scores),
  }));
}

/** Measures both engines in a V8 that does not use AVX-VNNI. */
export async function noVnni({ site, model, workloads, config, notes }) {
  console.error("Chromium without AVX-VNNI");
  const [documents, repetitions] = config.noVnni;
  const browser = await startChromium(site, [withoutVnni]);
  const common = { browser, site, model, dtype: "q8", threads: 1 };
  const engines = [rankletPage(common), rankletPage({ ...common, build: "simd128" }), transformersPages(common)[0]];
  const opened = await openAll(engines, workloads.next(documents), notes);
  const measured = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
  await closeAll(opened);
  await browser.close();
  return measured;
}

/** Measures common BERT shapes with two threads. */
export async function shapes({ site, python, models, workloads, config, notes }) {
  const [documents, repetitions] = config.shape;
  const measured = [];
  for (const model of models) {
    console.error(`shapes, ${model.name}`);
    const browser = await startChromium(site);
    const common = { browser, site, python, model, threads: 2 };
    const opened = await openAll(
      [
        rankletPage({ ...common, dtype: "q8" }),
        transformersPages({ ...common, dtype: "q8" })[0],
        ...["q8", "f32"].flatMap((dtype) => [rankletProgram({ ...common, dtype }), onnxruntimeProgram({ ...common, dtype })]),
      ],
      workloads.next(documents),
      notes,
    );
    const result = await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes);
    measured.push({ model: model.name, ...result });
    await closeAll(opened);
    await browser.close();
  }
  return measured;
}

/** Measures the time per document for growing numbers of documents of the same length. */
export async function flat({ site, model, workloads, config, notes }) {
  console.error("flat");
  const browser = await startChromium(site);
  const common = { browser, site, model, dtype: "q8", threads: 1 };
  const opened = await openAll([rankletPage(common), rankletProgram(common)], workloads.equal(50, tokensPerPair), notes);
  const sizes = [];
  for (const [documents, repetitions] of config.flat) {
    sizes.push(await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.equal(documents, tokensPerPair) }, notes));
  }
  await closeAll(opened);
  await browser.close();
  return { tokens_each: tokensPerPair, sizes };
}
