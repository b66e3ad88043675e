// The predicted memory is the size of WebAssembly's memory, and a model that would exceed the limit is refused.
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

/** The maximum relative error of the prediction. */
const tolerance = 0.1;

/** Loads a model and returns its predicted memory in bytes. */
async function predicted(source, options) {
  const reranker = await load(source, options);
  reranker.dispose();
  return reranker.info.memoryBytes;
}

const load = (source, options) => Reranker.load(source, { workers: 0, ...options });

describe("the predicted memory of a mid-size model", () => {
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ranklet-memory-"));
    writeRandomModel(pathToFileURL(`${folder}/`), { layers: 6, hidden: 384 });
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const dtype of ["f32", "q8"]) {
    test(`the predicted memory of a mid-size model in ${dtype} is within 10 % of WebAssembly's memory`, () => {
      const text = execFileSync(process.execPath, [child, pathToFileURL(`${folder}/`).href, dtype, index.href], {
        encoding: "utf8",
        timeout: 120_000,
      });
      const { loaded, scored, predicted } = JSON.parse(text);
      const [load, peak, prediction] = [loaded, scored, predicted].map((bytes) => (bytes / 1e6).toFixed(1));
      console.log(`${dtype}: ${load} MB loaded, ${peak} with scoring, ${prediction} predicted`);
      assert.ok(Math.abs(predicted - scored) <= tolerance * scored, `${prediction} for ${peak}`);
    });
  }

  test("the predicted memory is smaller for a smaller maxLength", async () => {
    const url = pathToFileURL(`${folder}/`);
    const [long, short] = [await predicted(url), await predicted(url, { maxLength: 64 })];
    assert.ok(short < long - 2e6, `${short} and ${long}`);
    assert.equal(await predicted(url, { maxLength: 64, maxMemoryBytes: short }), short);
    await rejectsWith("out-of-memory", /pairs of up to 512 tokens/, () => load(url, { maxMemoryBytes: short }));
  });
});

describe("maxMemoryBytes", () => {
  test("maxMemoryBytes accepts a model whose predicted memory it equals and refuses it with one byte less, in a worker too", async () => {
    const bytes = await predicted(model.url);
    assert.equal(await predicted(model.url, { maxMemoryBytes: bytes }), bytes);
    assert.equal(await predicted(model.url, { maxMemoryBytes: bytes, workers: "auto" }), bytes);
    for (const workers of [0, 1, "auto"]) {
      await rejectsWith(
        "out-of-memory",
        /would take about [\d.]+ MB of memory in f32.*the limit is [\d.]+ MB: choose the dtype q8, a smaller maximum length or another model/,
        () => load(model.url, { maxMemoryBytes: bytes - 1, workers }),
      );
    }
  });

  test("maxMemoryBytes is the limit for all workers together", async () => {
    const bytes = await predicted(model.url);
    await predicted(model.url, { maxMemoryBytes: 2 * bytes, workers: 2 });
    await rejectsWith("out-of-memory", /would take/, () => load(model.url, { maxMemoryBytes: 2 * bytes - 1, workers: 2 }));
  });

  const context = withHub();

  test("weights that cannot fit into maxMemoryBytes are refused before they are downloaded", async () => {
    const bytes = files.get("model.safetensors").length;
    const events = [];
    const options = { baseUrl: context.hub.url, cache: context.cache, onProgress: (event) => events.push(event) };
    await rejectsWith(
      "out-of-memory",
      /weights alone would take at least [\d.]+ MB.*maxMemoryBytes allows.*dtype "q8" or another model/,
      () => load(id, { ...options, maxMemoryBytes: bytes - 1 }),
    );
    assert.ok(!events.some(({ file, loaded }) => file === "model.safetensors" && loaded > 0));
    await rejectsWith("out-of-memory", /at least .*: choose another model/, () =>
      load(id, { ...options, dtype: "q8", maxMemoryBytes: Math.floor(bytes / 4) - 1 }),
    );
    // In q8, weights may take a quarter; only the engine, which knows the model, refuses this limit.
    await rejectsWith("out-of-memory", /would take about/, () => load(id, { ...options, dtype: "q8", maxMemoryBytes: bytes }));
  });
});
