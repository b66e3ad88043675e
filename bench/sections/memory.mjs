// The peak memory of each engine.
import { startChromium } from "../engines/chromium.mjs";
import { onnxruntimeProgram, rankletPage, rankletProgram, transformersPages } from "../engines/engines.mjs";
import { attempt } from "../measure/measure.mjs";

/** Measures the peak memory of each engine in its own browser or process. */
export async function memory({ site, python, model, workloads, config, notes }) {
  console.error("memory");
  const workload = workloads.next(config.memory);
  const measured = [];
  for (const dtype of ["q8", "f32"]) {
    const common = { site, python, model, dtype, threads: 1, watch: true };
    const pages = [
      // First on the page's thread, because only there the page can read the size of WebAssembly's memory; then in a worker, which is the default.
      (browser) => rankletPage({ ...common, browser, threads: 0 }),
      (browser) => rankletPage({ ...common, browser, watch: false }),
      (browser) => transformersPages({ ...common, browser })[0],
      (browser) => transformersPages({ ...common, browser })[1],
    ];
    for (const page of pages) {
      const browser = await startChromium(site);
      const engine = page(browser);
      const peaks = await attempt(engine, notes, async () => {
        const runner = await engine.open();
        await runner.score(workload);
        return {
          id: engine.id,
          loaded_wasm_bytes: runner.loaded.loaded_wasm_bytes,
          wasm_bytes: runner.loaded.loaded_wasm_bytes === undefined ? undefined : await runner.wasmBytes(),
          process_bytes: await browser.peakBytes(),
        };
      });
      if (peaks !== undefined) measured.push(peaks);
      await browser.close();
    }
    for (const engine of [rankletProgram(common), rankletProgram({ ...common, device: "candle" }), onnxruntimeProgram(common)]) {
      const peaks = await attempt(engine, notes, async () => {
        const runner = await engine.open();
        const { peak_bytes } = await runner.score(workload);
        await runner.close();
        return { id: engine.id, loaded_process_bytes: runner.loaded.peak_bytes, process_bytes: peak_bytes ?? undefined };
      });
      if (peaks !== undefined) measured.push(peaks);
    }
  }
  return { documents: config.memory, tokens: workload.tokens, engines: measured };
}
