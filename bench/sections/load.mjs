// The time of a page from the import of the library to the first score.
import { startProfile } from "../engines/chromium.mjs";
import { rankletPage, transformersPages } from "../engines/engines.mjs";
import { attempt } from "../measure/measure.mjs";

/** The number of loads that fill the caches: the first one caches files, the second one compiled code. */
const cacheFillingLoads = 2;

/** Measures the first load with empty caches, and later loads with full caches, each in a new page. */
export async function load({ site, model, config, notes }) {
  console.error("load");
  const settings = { site, model, dtype: "q8", threads: 1 };
  const sides = [];
  for (const make of [(browser) => rankletPage({ ...settings, browser }), (browser) => transformersPages({ ...settings, browser })[0]]) {
    const browser = await startProfile(site);
    sides.push({ browser, engine: () => make(browser), warm_ms: [] });
  }
  const loadOnce = async (side) => {
    const engine = side.engine();
    return attempt(engine, notes, async () => {
      const runner = await engine.open();
      // The peer still writes its cache after the call.
      await new Promise((resolve) => setTimeout(resolve, 1000));
      await runner.close();
      return runner.loaded;
    });
  };
  for (const side of sides) {
    const before = site.answers.length;
    const loaded = await loadOnce(side);
    if (loaded === undefined) continue;
    side.cold_ms = loaded.first_score_ms;
    side.files = site.answers.slice(before);
    for (let fill = 1; fill < cacheFillingLoads; fill++) await loadOnce(side);
  }
  for (let repetition = 0; repetition < config.loads; repetition++) {
    for (const side of sides) {
      const before = site.answers.length;
      const loaded = await loadOnce(side);
      if (loaded === undefined) continue;
      side.warm_ms.push(loaded.first_score_ms);
      side.warm_files = site.answers.slice(before);
    }
  }
  for (const { browser } of sides) await browser.close();
  // Without the files of the bench.
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
