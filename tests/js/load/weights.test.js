// Weights in several files and in torch's own form, from wherever files come.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { id, pairs, scoresFrom, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));

const fixtures = new URL("../../fixtures/", import.meta.url);
const index = "model.safetensors.index.json";
const [first, second] = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];

/** Cases of fixtures/weights and the fixture that each holds the weights of. */
const cases = { "sharded-safetensors": "bert-bare-h36", "sharded-bin": "bert-bare-h36", "bin-f32": "bert-bare-h36", "bin-views": "bert-bf16-h60" };

function bytesIn(folder, wanted) {
  return readdirSync(folder).filter(wanted).map((name) => [name, readFileSync(new URL(name, folder))]);
}

/** The small files of a fixture, and the weights of a case in the place of its own. */
function filesOf(name) {
  const small = bytesIn(new URL(`${cases[name]}/`, fixtures), (file) => file.endsWith(".json") && file !== "expected.json");
  return new Map([...small, ...bytesIn(new URL(`weights/${name}/`, fixtures), () => true)]);
}

const files = filesOf("sharded-safetensors");
const twins = {};
for (const name of new Set(Object.values(cases))) twins[name] = await scoresFrom(new URL(`${name}/`, fixtures));
const expected = twins["bert-bare-h36"];

/** `files` with the index changed. */
function withMap(change) {
  const json = JSON.parse(files.get(index));
  change(json.weight_map);
  return new Map([...files, [index, Buffer.from(JSON.stringify(json))]]);
}

const context = withHub();
/** What was asked of the Hub, by file name. */
const asked = () => context.hub.requests.map(({ path }) => path.split("/").at(-1));

describe("weights", () => {
  for (const [name, fixture] of Object.entries(cases)) {
    test(`${name} score as their safetensors: files, a Hub, its cache, q8, a worker`, async () => {
      const held = filesOf(name);
      assert.deepEqual(await scoresFrom(Object.fromEntries(held)), twins[fixture]);
      assert.deepEqual(await scoresFrom(Object.fromEntries(held), { workers: 1 }), twins[fixture]);
      const q8 = await scoresFrom(new URL(`${fixture}/`, fixtures), { dtype: "q8" });
      assert.deepEqual(await scoresFrom(Object.fromEntries(held), { dtype: "q8" }), q8);
      context.hub.publish(id, held);
      assert.deepEqual(await context.scores(), twins[fixture]);
      assert.deepEqual(await context.offline(), twins[fixture]);
    });
  }

  test("say what they are", async () => {
    const reranker = await Reranker.load(Object.fromEntries(filesOf("bin-f32")), { workers: 0 });
    const bytes = filesOf("bin-f32").get("pytorch_model.bin").length;
    assert.deepEqual([reranker.info.weights, reranker.info.warnings], [{ format: "pytorch", bytes }, []]);
    reranker.dispose();
  });

  test("are taken in the first form that is there, and no other is asked for", async () => {
    context.hub.publish(id, new Map([...files, ["pytorch_model.bin", Buffer.from("x")]]));
    assert.deepEqual(await context.scores(), expected);
    assert.ok(asked().includes("model.safetensors"));
    assert.ok(!asked().some((name) => name.startsWith("pytorch_model")));
    assert.deepEqual(await scoresFrom({ ...Object.fromEntries(files), "pytorch_model.bin": new Uint8Array(1) }), expected);
  });

  test("that are not there at all are named, every form", async () => {
    const none = new Map([...files].filter(([name]) => !/^model/.test(name)));
    const every = /model\.safetensors is missing.*model\.safetensors\.index\.json, pytorch_model\.bin, pytorch_model\.bin\.index\.json/;
    await rejectsWith("weights", every, () => scoresFrom(Object.fromEntries(none)));
    context.hub.publish(id, none);
    await rejectsWith("network", every, () => context.scores());
  });

  test("before torch 1.6 are refused with what to do", async () => {
    const old = readFileSync(new URL("weights/bin-old/pytorch_model.bin", fixtures));
    await rejectsWith("unsupported", /safe_serialization=True/, () => scoresFrom({ ...Object.fromEntries(filesOf("bin-f32")), "pytorch_model.bin": old }));
  });
});

describe("the files of an index", () => {
  test("come with progress that ends at their sum and never says too little", async () => {
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

  test("are of one commit with it", async () => {
    context.hub.publish(id, files);
    await context.scores();
    const commit = /resolve\/([0-9a-f]{40})\//;
    const paths = context.hub.requests.map(({ path }) => path).filter((path) => path.includes("model-0000") && path.includes("resolve"));
    assert.equal(paths.length, 2);
    for (const path of paths) assert.match(path, commit);
  });

  test("must all be there", async () => {
    const { [second]: _, ...rest } = Object.fromEntries(files);
    await rejectsWith("weights", new RegExp(`${second} is missing`), () => scoresFrom(rest));
    context.hub.publish(id, new Map(Object.entries(rest)));
    await rejectsWith("network", new RegExp(`${second} is missing: http\\S+ answered 404`), () => context.scores());
    assert.deepEqual(readdirSync(context.cache), [], "nothing is kept");
  });

  test("that are damaged in the cache are downloaded again", async () => {
    context.hub.publish(id, files);
    await context.scores();
    const stored = readdirSync(context.cache, { recursive: true }).find((path) => path.endsWith(second));
    rmSync(join(context.cache, stored));
    assert.deepEqual(await context.scores(), expected);
    assert.deepEqual(await context.offline(), expected);
  });

  for (const name of ["../config.json", "../a.safetensors", "/a.safetensors", "https://elsewhere.example/a.safetensors", "a/b.safetensors", "a%2fb.safetensors", "..safetensors", "config.json", "", 7, null, `${"a".repeat(97)}.safetensors`]) {
    test(`are refused where one is ${JSON.stringify(name)?.slice(0, 50)}, and nothing is asked for`, async () => {
      const held = withMap((map) => (map["classifier.bias"] = name));
      const message = /model\.safetensors\.index\.json: .* is not the name of a \.safetensors file beside it/;
      await rejectsWith("weights", message, () => scoresFrom(Object.fromEntries(held)));
      context.hub.publish(id, held);
      context.hub.requests = [];
      await rejectsWith("weights", message, () => context.scores());
      for (const path of asked()) assert.ok(held.has(path) || /\.(json|jinja)$/.test(path) || path === "model.safetensors", path);
      assert.ok(!asked().includes(first));
    });
  }

  for (const [what, bytes] of [
    ["no JSON", "{"],
    ["a list", "[]"],
    ["without a map", "{}"],
    ["whose map is a list", '{"weight_map":[]}'],
    ["that names too many", JSON.stringify({ weight_map: Object.fromEntries(Array.from({ length: 257 }, (_, n) => [n, `${n}.safetensors`])) })],
    ["of megabytes", " ".repeat(5 << 20)],
  ]) {
    test(`are refused with an index ${what}`, () =>
      rejectsWith("weights", /model\.safetensors\.index\.json/, () => scoresFrom({ ...Object.fromEntries(files), [index]: Buffer.from(bytes) })));
  }

  test("hold what the index says", async () => {
    const held = withMap((map) => (map["bert.embeddings.word_embeddings.weight"] = second));
    await rejectsWith("weights", /does not hold bert\.embeddings\.word_embeddings\.weight/, () => scoresFrom(Object.fromEntries(held)));
  });
});
