// Models of other families: loading, memory and speed.
import { startChromium } from "../engines/chromium.mjs";
import { rankletPage, rankletProgram } from "../engines/engines.mjs";
import { attempt } from "../measure/measure.mjs";

/** Tokens per passage, counted by BERT's tokenizer. */
const passageTokens = 100;

/** Measures load time, predicted and actual memory, and scoring time for shapes of other families. */
export async function families({ site, python, workloads, config, notes, prepare }) {
  const measured = [];
  for (const name of config.families) {
    console.error(`families, ${name}`);
    const model = await attempt({ id: name }, notes, async () => prepare(name));
    if (model === undefined) continue;
    const workload = workloads.equal(config.family, passageTokens);
    const settings = { site, python, model, dtype: "q8", threads: 1 };
    const engines = [];
    const measure = (engine, more) =>
      attempt(engine, notes, async () => {
        const runner = await engine.open();
        await runner.score(workload);
        const scored = await runner.score(workload);
        const { load_ms, memory_bytes } = runner.loaded;
        const basics = { id: engine.id, load_ms, predicted_bytes: memory_bytes, ms: scored.ms, tokens: scored.tokens };
        engines.push({ ...basics, ...(await more(runner, scored)) });
        await runner.close();
      });
    for (const dtype of ["q8", "f32"]) {
      await measure(rankletProgram({ ...settings, dtype }), ({ loaded }, { peak_bytes }) => ({
        loaded_bytes: loaded.peak_bytes ?? undefined,
        peak_bytes: peak_bytes ?? undefined,
      }));
    }
    const browser = await startChromium(site);
    // On the page's thread, because only there the page can read the size of WebAssembly's memory.
    await measure(rankletPage({ ...settings, browser, threads: 0, watch: true }), async (runner) => ({
      loaded_bytes: runner.loaded.loaded_wasm_bytes,
      peak_bytes: await runner.wasmBytes(),
      process_bytes: await browser.peakBytes(),
    }));
    await browser.close();
    measured.push({ model: name, bytes: model.bytes, documents: workload.documents.length, engines });
  }
  return measured;
}
