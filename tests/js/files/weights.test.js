// Weights in several files and in torch's format, from all sources of files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { id, scoresFrom, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));

const fixtures = new URL("../../fixtures/", import.meta.url);
const index = "model.safetensors.index.json";
const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/** Cases in fixtures/weights, and for each the fixture that has the same weights. */
const cases = {
  "sharded-safetensors": "bert-bare-h36",
  "sharded-bin": "bert-bare-h36",
  "bin-f32": "bert-bare-h36",
  "bin-views": "bert-bf16-h60",
};

function bytesIn(folder, wanted) {
  return readdirSync(folder)
    .filter(wanted)
    .map((name) => [name, readFileSync(new URL(name, folder))]);
}

/** The small files of a fixture together with the weights of a case. */
function filesOf(name) {
  const small = bytesIn(new URL(`${cases[name]}/`, fixtures), (file) => file.endsWith(".json") && file !== "expected.json");
  return new Map([...small, ...bytesIn(new URL(`weights/${name}/`, fixtures), () => true)]);
}

const files = filesOf("sharded-safetensors");
const twins = {};
for (const name of new Set(Object.values(cases))) twins[name] = await scoresFrom(new URL(`${name}/`, fixtures));
const expected = twins["bert-bare-h36"];

/** `files` with a changed index. */
function withMap(change) {
  const json = JSON.parse(files.get(index));
  change(json.weight_map);
  return new Map([...files, [index, Buffer.from(JSON.stringify(json))]]);
}

const context = withHub();
/** The names of the files that were requested from the Hub. */
const requested = () => context.hub.requests.map(({ path }) => path.split("/").at(-1));

describe("weights", () => {
  for (const [name, fixture] of Object.entries(cases)) {
    test(`${name} has the scores of the same weights in safetensors, from files, a Hub and its cache, in q8 and in a worker`, async () => {
      const published = filesOf(name);
      assert.deepEqual(await scoresFrom(Object.fromEntries(published)), twins[fixture]);
      assert.deepEqual(await scoresFrom(Object.fromEntries(published), { workers: 1 }), twins[fixture]);
      const q8 = await scoresFrom(new URL(`${fixture}/`, fixtures), { dtype: "q8" });
      assert.deepEqual(await scoresFrom(Object.fromEntries(published), { dtype: "q8" }), q8);
      context.hub.publish(id, published);
      assert.deepEqual(await context.scores(), twins[fixture]);
      assert.deepEqual(await context.offline(), twins[fixture]);
    });
  }

  test("info has the format and the size of torch's weights", async () => {
    const reranker = await Reranker.load(Object.fromEntries(filesOf("bin-f32")), { workers: 0 });
    const bytes = filesOf("bin-f32").get("pytorch_model.bin").length;
    assert.deepEqual([reranker.info.weights, reranker.info.warnings], [{ format: "pytorch", bytes }, []]);
    reranker.dispose();
  });

  test("weights are read in the first format that exists, and no other is requested", async () => {
    context.hub.publish(id, new Map([...files, ["pytorch_model.bin", Buffer.from("x")]]));
    assert.deepEqual(await context.scores(), expected);
    assert.ok(requested().includes("model.safetensors"));
    assert.ok(!requested().some((name) => name.startsWith("pytorch_model")));
    assert.deepEqual(await scoresFrom({ ...Object.fromEntries(files), "pytorch_model.bin": new Uint8Array(1) }), expected);
  });

  test("the error for missing weights names all files that can have them", async () => {
    const none = new Map([...files].filter(([name]) => !/^model/.test(name)));
    const every =
      /model\.safetensors is missing: .*; add it, or one of model\.safetensors\.index\.json, pytorch_model\.bin, pytorch_model\.bin\.index\.json, onnx\/model\.onnx, .*model_uint8\.onnx$/;
    await rejectsWith("weights", every, () => scoresFrom(Object.fromEntries(none)));
    context.hub.publish(id, none);
    await rejectsWith("network", every, () => context.scores());
  });

  test("weights from before torch 1.6 are refused with advice", async () => {
    const old = readFileSync(new URL("weights/bin-old/pytorch_model.bin", fixtures));
    await rejectsWith("unsupported", /safe_serialization=True/, () =>
      scoresFrom({ ...Object.fromEntries(filesOf("bin-f32")), "pytorch_model.bin": old }),
    );
  });
});

describe("weights with an index", () => {
  test("the progress of weights in several files ends at their total size, and its total is never too small", async () => {
    context.hub.publish(id, files);
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    const events = [];
    await context.scores({ onProgress: (event) => events.push(event) });
    assert.deepEqual(events.at(-1).overall, { loaded: total, total });
    for (const { overall } of events) assert.ok(overall.total === undefined || overall.total === total, `${overall.total} of ${total}`);
    const last = new Map(events.map((event) => [event.file, event]));
    for (const name of [first, second]) assert.equal(last.get(name).loaded, files.get(name).length);
    assert.deepEqual([last.get("model.safetensors").loaded, last.get("model.safetensors").total], [0, 0]);
  });

  test("the files of an index are requested at the commit of the index", async () => {
    context.hub.publish(id, files);
    await context.scores();
    const commit = /resolve\/([0-9a-f]{40})\//;
    const paths = context.hub.requests.map(({ path }) => path).filter((path) => path.includes("model-0000") && path.includes("resolve"));
    assert.equal(paths.length, 2);
    for (const path of paths) assert.match(path, commit);
  });

  test("weights are refused if a file of the index is missing", async () => {
    const { [second]: _, ...rest } = Object.fromEntries(files);
    await rejectsWith("weights", new RegExp(`${second} is missing`), () => scoresFrom(rest));
    context.hub.publish(id, new Map(Object.entries(rest)));
    await rejectsWith("network", new RegExp(`${second} is missing: http\\S+ answered 404`), () => context.scores());
    assert.deepEqual(context.models(), [], "nothing is cached");
  });

  test("a cached weights file that is missing is downloaded again", async () => {
    context.hub.publish(id, files);
    await context.scores();
    const stored = readdirSync(context.cache, { recursive: true }).find((path) => path.endsWith(second));
    rmSync(join(context.cache, stored));
    assert.deepEqual(await context.scores(), expected);
    assert.deepEqual(await context.offline(), expected);
  });

  for (const name of [
    "../config.json",
    "../a.safetensors",
    "/a.safetensors",
    "https://elsewhere.example/a.safetensors",
    "a/b.safetensors",
    "a%2fb.safetensors",
    "..safetensors",
    "config.json",
    "",
    7,
    null,
    `${"a".repeat(97)}.safetensors`,
  ]) {
    test(`an index with the file name ${JSON.stringify(name)?.slice(0, 50)} is refused without requests for weights`, async () => {
      const published = withMap((map) => (map["classifier.bias"] = name));
      const message = /model\.safetensors\.index\.json: .* is not the name of a \.safetensors file in the same folder/;
      await rejectsWith("weights", message, () => scoresFrom(Object.fromEntries(published)));
      context.hub.publish(id, published);
      context.hub.requests = [];
      await rejectsWith("weights", message, () => context.scores());
      for (const path of requested()) assert.ok(published.has(path) || /\.(json|jinja)$/.test(path) || path === "model.safetensors", path);
      assert.ok(!requested().includes(first));
    });
  }

  for (const [what, bytes] of [
    ["is not JSON", "{"],
    ["is an array", "[]"],
    ["has no weight_map", "{}"],
    ["has an array as weight_map", '{"weight_map":[]}'],
    ["names 257 files", JSON.stringify({ weight_map: Object.fromEntries(Array.from({ length: 257 }, (_, n) => [n, `${n}.safetensors`])) })],
    ["has 5 MiB", " ".repeat(5 << 20)],
  ]) {
    test(`an index that ${what} is refused`, () =>
      rejectsWith("weights", /model\.safetensors\.index\.json/, () =>
        scoresFrom({ ...Object.fromEntries(files), [index]: Buffer.from(bytes) }),
      ));
  }

  test("a weights file without a tensor that the index assigns to it is refused", async () => {
    const published = withMap((map) => (map["bert.embeddings.word_embeddings.weight"] = second));
    await rejectsWith("weights", /does not contain bert\.embeddings\.word_embeddings\.weight/, () =>
      scoresFrom(Object.fromEntries(published)),
    );
  });
});
