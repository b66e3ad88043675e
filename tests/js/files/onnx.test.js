// Repositories of transformers.js: weights in ONNX files, of which one is downloaded and no other.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { assertClose, rejectsWith } from "../support/assert.js";
import { id, withHub } from "../support/models/hub-model.js";
import { dataFile, forms, pairs, repository, smallFiles, splitRepository } from "../support/models/onnx.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));

const root = mkdtempSync(join(tmpdir(), "ranklet-onnx-"));
after(() => rmSync(root, { recursive: true }));

/** Writes files into a new folder and returns its URL. */
function folderOf(files) {
  const folder = mkdtempSync(join(root, "model-"));
  for (const [name, bytes] of files) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return pathToFileURL(folder);
}

const context = withHub();

/** Loads from a source and returns the logits, the info and what was requested: names and bytes. */
async function load(source, options = {}) {
  Object.assign(context.hub, { requests: [], listings: [] });
  const reranker = await Reranker.load(source, {
    workers: 0,
    ...(source === id ? { baseUrl: context.hub.url, cache: context.cache } : {}),
    ...options,
  });
  const logits = Array.from(await reranker.score(pairs, { scores: "raw" }));
  reranker.dispose();
  const requested = context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)[1]);
  return { logits, info: reranker.info, requested: requested.sort() };
}

function fromHub(files, lists, options) {
  context.hub.publish(id, files);
  context.hub.lists = lists;
  return load(id, { cache: false, ...options });
}

/** The kinds of sources, each with a way to load files from it. */
const sources = {
  files: (files, options) => load(Object.fromEntries(files), options),
  "a folder": (files, options) => load(folderOf(files), options),
  "a Hub": (files, options) => fromHub(files, false, options),
  "a Hub with a list": (files, options) => fromHub(files, true, options),
  "a folder's URL": (files, options) => {
    context.hub.publish(id, files);
    return load(`${context.hub.url}/${id}/resolve/main/`, options);
  },
};
const size = (files, names) => names.reduce((sum, name) => sum + files.get(name).length, 0);

describe("a repository with ONNX files", () => {
  for (const [source, loadFrom] of Object.entries(sources)) {
    test(`has the logits of each file, from ${source}`, async () => {
      for (const weights of [undefined, ...Object.keys(forms)]) {
        const { expected, tolerance } = forms[weights ?? "onnx/model.onnx"];
        const { logits, info } = await loadFrom(repository, { weights });
        assertClose(logits, expected, tolerance, `${weights}`);
        assert.equal(info.weights.format, "onnx");
        assert.equal(info.weights.bytes, repository.get(weights ?? "onnx/model.onnx").length);
      }
    });

    test(`has the logits of a file with its tensors next to it, from ${source}`, async () => {
      const { expected, tolerance } = forms["onnx/model.onnx"];
      const { logits, info } = await loadFrom(splitRepository);
      assertClose(logits, expected, tolerance, dataFile);
      assert.equal(info.weights.bytes, size(splitRepository, ["onnx/model.onnx", dataFile]));
    });
  }

  test("of a Hub that lists its files, nothing is requested but the small files and one file of weights", async () => {
    const bytes = {};
    for (const weights of [undefined, ...Object.keys(forms)]) {
      const { requested } = await fromHub(repository, true, { weights });
      assert.deepEqual(requested, [...smallFiles, weights ?? "onnx/model.onnx"].sort());
      bytes[weights] = size(repository, requested);
      assert.equal(context.hub.listings.length, 1);
    }
    assert.equal(bytes.undefined, bytes["onnx/model.onnx"]);
    assert.ok(
      bytes["onnx/model_fp16.onnx"] < bytes["onnx/model.onnx"] && bytes["onnx/model_quantized.onnx"] < bytes["onnx/model_fp16.onnx"],
      JSON.stringify(bytes),
    );
    const { requested } = await fromHub(splitRepository, true);
    assert.deepEqual(requested, [...smallFiles, dataFile, "onnx/model.onnx"].sort());
  });

  test("of a Hub without a list, ONNX files are requested in order of preference until one exists", async () => {
    const { requested } = await fromHub(new Map([...repository].filter(([name]) => name !== "onnx/model.onnx")), false);
    const weights = requested.filter((name) => /onnx|safetensors|bin/.test(name));
    const absent = [
      "model.safetensors",
      "model.safetensors.index.json",
      "pytorch_model.bin",
      "pytorch_model.bin.index.json",
      "onnx/model.onnx",
    ];
    const beside = ["onnx/model_fp16.onnx.data", "onnx/model_fp16.onnx_data"];
    assert.deepEqual(weights, [...absent, "onnx/model_fp16.onnx", ...beside].sort());
  });

  test("is cached, also with its tensors next to it, and loads in a worker", async () => {
    for (const [files, weights] of [
      [repository, "onnx/model_quantized.onnx"],
      [splitRepository, undefined],
    ]) {
      const { logits } = await fromHub(files, true, { weights, cache: context.cache });
      context.hub.down = true;
      for (const workers of [0, 1]) {
        const again = await load(id, { weights, workers, localFilesOnly: true });
        assert.deepEqual(again.logits, logits);
        assert.equal(context.hub.requests.length + context.hub.listings.length, 0);
      }
      context.hub.down = false;
    }
  });

  test("is quantized on load with dtype q8", async () => {
    const exact = await sources.files(repository);
    const { logits, info } = await sources.files(repository, { dtype: "q8" });
    assert.equal(info.backend.dtype, "q8");
    assertClose(logits, exact.logits, 0.5, "q8");
  });

  test("progress ends with the bytes of all files", async () => {
    const events = [];
    const { requested } = await fromHub(splitRepository, true, { onProgress: (event) => events.push(event) });
    const total = size(splitRepository, requested);
    assert.deepEqual(events.at(-1).overall, { loaded: total, total });
  });

  test("the file with its tensors counts for the limit of memory", () =>
    rejectsWith("out-of-memory", /weights alone/, () =>
      fromHub(new Map([...splitRepository, [dataFile, Buffer.alloc(30e6)]]), true, { maxMemoryBytes: 20e6 }),
    ));

  test("a missing file with its tensors is named", async () => {
    const files = new Map([...splitRepository].filter(([name]) => name !== dataFile));
    const message = /onnx\/model\.onnx_data is missing; onnx\/model\.onnx stores weights in it/;
    for (const loadFrom of Object.values(sources)) await rejectsWith("weights", message, () => loadFrom(files));
  });

  test("an ONNX file that is a Git LFS pointer or a page is refused", async () => {
    for (const [text, message] of [
      ["version https://git-lfs.github.com/spec/v1\noid", /^onnx\/model\.onnx is a Git LFS pointer/],
      ["<!doctype html>", /^onnx\/model\.onnx is an HTML page/],
    ]) {
      await rejectsWith("weights", message, () =>
        load(Object.fromEntries(new Map([...repository, ["onnx/model.onnx", Buffer.from(text)]]))),
      );
    }
  });
});
