// The Python package next to sentence-transformers and fastembed.
import { pythonPackage } from "../engines/engines.mjs";
import { attempt, closeAll, interleave, openAll } from "../measure/measure.mjs";

/** The batch sizes that are tried for packages whose speed depends on it. */
const batches = [8, 16, 32, 100];

/** Measures speed with one and two threads, then the time from import to first score and the peak memory of new processes. */
export async function python({ python, model, workloads, config, notes }) {
  const [documents, repetitions] = config.python;
  const sizes = [];
  for (const threads of [1, 2]) {
    console.error(`python: threads: ${threads}`);
    const make = (name, dtype, batch) => pythonPackage({ python, model, name, dtype, threads, batch });
    const engines = [make("ranklet", "q8"), make("ranklet", "f32")];
    for (const batch of batches) engines.push(make("sentence-transformers", "f32", batch), make("fastembed", "f32", batch));
    const opened = await openAll(engines, workloads.next(4), notes);
    try {
      sizes.push({
        threads,
        ...(await interleave(opened, { documents, repetitions, nextWorkload: () => workloads.next(documents) }, notes)),
      });
    } finally {
      await closeAll(opened);
    }
  }
  const starts = [];
  for (const [name, dtype] of [
    ["ranklet", "q8"],
    ["ranklet", "f32"],
    ["sentence-transformers", "f32"],
    ["fastembed", "f32"],
  ]) {
    const engine = pythonPackage({ python, model, name, dtype, threads: 1, batch: 32 });
    const measured = { id: engine.id, first_score_ms: [], peak_bytes: undefined };
    for (let load = 0; load < config.loads; load++) {
      await attempt(engine, notes, async () => {
        const runner = await engine.open();
        measured.first_score_ms.push(runner.loaded.first_score_ms);
        measured.peak_bytes = (await runner.score(workloads.next(documents))).peak_bytes;
        await runner.close();
      });
    }
    starts.push(measured);
  }
  return { sizes, starts };
}
