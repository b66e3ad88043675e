// Times of all engines: at every size, without AVX-VNNI, for larger shapes, and per document as there are more.
import { startChromium, withoutVnni } from "../engines/chromium.mjs";
import { onnxruntimeProgram, rankletPage, rankletProgram, transformersPages } from "../engines/engines.mjs";
import { closeAll, interleave, openAll } from "../measure/measure.mjs";
import { kendallTau, maxDifference } from "../measure/statistics.mjs";

/** Tokens of a pair where all are to be alike. */
const tokensPerPair = 40;

/**
 * Everything against everything at every size, q8 and f32 apart; and whether the rankings agree.
 * @returns {Promise<{ sizes: object[], agreement: object[] }>}
 */
export async function speed({ site, python, model, workloads, config, notes }) {
  const sizes = config.speed.map(([documents]) => ({ documents, tokens: [], engines: [] }));
  const agreement = [];
  // What the rankings are compared on also warms everything up.
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

/** Each engine's scores against those of transformers.js in f32, all of one work. */
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

/** Both engines where V8 does without AVX-VNNI. */
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

/** The usual shapes of BERT, with two threads. */
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

/** Time per document as there are more and more of one length. */
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
