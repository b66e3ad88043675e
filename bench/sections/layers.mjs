// Large models whose layers are split over the workers of a page, next to one worker: speed, memory and loading.
import { startChromium } from "../engines/chromium.mjs";
import { layersPage } from "../engines/engines.mjs";
import { attempt, closeAll, interleave, openAll } from "../measure/measure.mjs";
import { pipelineMs, stageShares } from "../measure/pipeline.mjs";
import { median } from "../measure/statistics.mjs";

/** Tokens per passage, counted by BERT's tokenizer. */
const passageTokens = 100;

/** The numbers of workers. On fewer processors than workers, speed is not measured, only memory and the prediction. */
const workerCounts = [1, 2, 4];

const shapes = {
  "bge-reranker-base": { layers: 12, hidden: 768, intermediate: 3072 },
  "bge-reranker-large": { layers: 24, hidden: 1024, intermediate: 4096 },
};

/** Measures documents per second, the memory of all workers together and load time, and predicts the time of more workers. */
export async function layers({ site, workloads, config, notes, prepare }) {
  const measured = [];
  for (const name of Object.keys(shapes).filter((shape) => config.layerShapes.includes(shape))) {
    console.error(`layers, ${name}`);
    const model = await attempt({ id: name }, notes, async () => prepare(name));
    if (model === undefined) continue;
    const browser = await startChromium(site);
    const [documents, repetitions] = config.layers;
    const nextWorkload = () => workloads.equal(documents, passageTokens);
    // The memory of each number of workers by itself, because all of them together may not fit.
    const loads = [];
    for (const workers of workerCounts) {
      const engine = layersPage({ browser, site, model, dtype: "q8", workers });
      const loaded = await attempt(engine, notes, async () => {
        const runner = await engine.open();
        const { times } = await runner.score(nextWorkload());
        const wasm_bytes = await runner.wasmBytes();
        await runner.close();
        const { load_ms, memory_bytes, cuts = [] } = runner.loaded;
        return { workers, load_ms, predicted_bytes: memory_bytes, wasm_bytes, cuts, times };
      });
      if (loaded !== undefined) loads.push(loaded);
    }
    const opened = await openAll(
      workerCounts.slice(0, 2).map((workers) => layersPage({ browser, site, model, dtype: "q8", workers })),
      nextWorkload(),
      notes,
    );
    const size = await interleave(opened, { documents, repetitions, nextWorkload }, notes);
    const [one, two] = opened.map(({ runner }) => runner.last);
    await closeAll(opened);
    await browser.close();
    measured.push({
      model: name,
      ...size,
      loads,
      schedule: one === undefined || two === undefined ? undefined : schedule(shapes[name], loads, one, two, size),
    });
  }
  return measured;
}

/** Predicts the time of 2 and 4 workers from the micro-batches of 1 and 2, and compares it with the measured one. */
function schedule(shape, loads, one, two, { engines }) {
  const splitPointsOf = (count) => loads.find(({ workers }) => workers === count)?.splitPoints ?? [];
  // The micro-batches of two workers, because one worker makes larger ones.
  const batches = two.times.all.map(({ ms }) => ms);
  const busy = batches.reduce((sum, ms) => sum + ms, 0);
  const inSecond = two.times.others.reduce((sum, ms) => sum + ms, 0) / busy;
  const predict = (count) => {
    const shares = stageShares(shape, splitPointsOf(count));
    return { workers: count, shares, ms: pipelineMs(batches.map((ms) => shares.map((share) => share * ms))) };
  };
  const [oneMs, twoMs] = engines.map(({ ms }) => median(ms));
  return {
    one_ms: oneMs,
    two_ms: twoMs,
    one_last_ms: one.ms,
    two_last_ms: two.ms,
    share_of_second: inSecond,
    predictions: [2, 4].map(predict),
  };
}
