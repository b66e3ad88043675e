// What a model is predicted to take is what WebAssembly takes, and one that would take more than it may is refused.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { files, id, model, withHub } from "../support/models/hub-model.js";
import { writeRandomModel } from "../support/models/random-model.js";
import { dist } from "../support/paths.js";

const index = new URL("index.node.js", dist);
const { Reranker } = await import(index);
const child = fileURLToPath(new URL("../support/children/memory-child.js", import.meta.url));

/** How far the prediction may be from what is measured. */
const tolerance = 0.1;

/** What the model is predicted to take, once it is loaded. */
async function predicted(source, options) {
  const reranker = await load(source, options);
  reranker.dispose();
  return reranker.info.memoryBytes;
}

const load = (source, options) => Reranker.load(source, { workers: 0, ...options });

describe("the prediction of a mid-size model", () => {
  let place;
  before(() => {
    place = mkdtempSync(join(tmpdir(), "ranklet-memory-"));
    writeRandomModel(pathToFileURL(`${place}/`), { layers: 6, hidden: 384 });
  });
  after(() => rmSync(place, { recursive: true }));

  for (const dtype of ["f32", "q8"]) {
    test(`is what WebAssembly's memory is, in ${dtype}`, () => {
      const text = execFileSync(process.execPath, [child, pathToFileURL(`${place}/`).href, dtype, index.href], { encoding: "utf8" });
      const { loaded, scored, predicted } = JSON.parse(text);
      const [load, peak, told] = [loaded, scored, predicted].map((bytes) => (bytes / 1e6).toFixed(1));
      console.log(`${dtype}: ${load} MB loaded, ${peak} with scoring, ${told} predicted`);
      assert.ok(Math.abs(predicted - scored) <= tolerance * scored, `${told} for ${peak}`);
    });
  }

  test("is less for shorter pairs", async () => {
    const folder = pathToFileURL(`${place}/`);
    const [long, short] = [await predicted(folder), await predicted(folder, { maxLength: 64 })];
    assert.ok(short < long - 2e6, `${short} and ${long}`);
    assert.equal(await predicted(folder, { maxLength: 64, maxMemoryBytes: short }), short);
    await rejectsWith("out-of-memory", /pairs of up to 512 tokens/, () => load(folder, { maxMemoryBytes: short }));
  });
});

describe("maxMemoryBytes", () => {
  test("lets a model through that takes as much, and refuses it with a byte less, in a worker too", async () => {
    const bytes = await predicted(model.url);
    assert.equal(await predicted(model.url, { maxMemoryBytes: bytes }), bytes);
    assert.equal(await predicted(model.url, { maxMemoryBytes: bytes, workers: "auto" }), bytes);
    for (const workers of [0, 1, "auto"]) {
      await rejectsWith("out-of-memory", /would take about [\d.]+ MB of memory in f32.*the limit is [\d.]+ MB: choose the dtype q8, a smaller maximum length or another model/, () =>
        load(model.url, { maxMemoryBytes: bytes - 1, workers }),
      );
    }
  });

  test("is shared by the workers", async () => {
    const bytes = await predicted(model.url);
    await predicted(model.url, { maxMemoryBytes: 2 * bytes, workers: 2 });
    await rejectsWith("out-of-memory", /would take/, () => load(model.url, { maxMemoryBytes: 2 * bytes - 1, workers: 2 }));
  });

  const context = withHub();

  test("refuses weights that cannot fit before they are downloaded", async () => {
    const bytes = files.get("model.safetensors").length;
    const events = [];
    const options = { baseUrl: context.hub.url, cache: context.cache, onProgress: (event) => events.push(event) };
    await rejectsWith("out-of-memory", /weights alone would take at least [\d.]+ MB.*maxMemoryBytes allows.*dtype "q8" or another model/, () =>
      load(id, { ...options, maxMemoryBytes: bytes - 1 }),
    );
    assert.ok(!events.some(({ file, loaded }) => file === "model.safetensors" && loaded > 0));
    await rejectsWith("out-of-memory", /at least .*: choose another model/, () => load(id, { ...options, dtype: "q8", maxMemoryBytes: Math.floor(bytes / 4) - 1 }));
    // A quarter may do for q8; the engine, which knows the model, says that it does not.
    await rejectsWith("out-of-memory", /would take about/, () => load(id, { ...options, dtype: "q8", maxMemoryBytes: bytes }));
  });
});
