// Times of all engines: at every size, without AVX-VNNI, for larger shapes, and per document as there are more.
import { startChromium, withoutVnni } from "../engines/chromium.mjs";
import { onnxruntimeProgram, rankletPage, rankletProgram, transformersPages } from "../engines/engines.mjs";
import { closeAll, interleave, openAll } from "../measure/measure.mjs";
import { kendallTau, largestDifference } from "../measure/statistics.mjs";

/** Tokens of a pair where all are to be alike. */
const equalTokens = 40;

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
