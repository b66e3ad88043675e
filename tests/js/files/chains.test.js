// Checkpoints that consist of sentence-transformers modules, each with its own folder, from all sources of files.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { assertClose, rejectsWith } from "../support/assert.js";
import { family } from "../support/models/fixtures.js";
import { id, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";
import { serveFolder } from "../support/servers/folder.js";
import { filesIn } from "../support/servers/hub.js";

const { Reranker } = await import(new URL("index.node.js", dist));

const context = withHub();
const list = "modules.json";
/** The requests to the Hub, as paths in the repository. */
const requested = () =>
  context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)[1]);

/** Loads a model and compares its scores with those of sentence-transformers. */
async function assertScores({ expected }, source, options) {
  const reranker = await Reranker.load(source, { dtype: "f32", workers: 0, ...options });
  try {
    assertClose(await reranker.score(expected.pairs, { scores: "raw" }), expected.logits.flat(), 1e-4, "logits");
    assertClose(await reranker.score(expected.pairs), expected.scores.flat(), 1e-4, "scores");
  } finally {
    reranker.dispose();
  }
}

const [cls, mean] = ["chain-cls-h40", "chain-mean-sigmoid-h36"].map(family);
const forms = JSON.parse(readFileSync(new URL("../../fixtures/chain_forms.json", import.meta.url)));
const files = filesIn(cls.url);
const modules = [...files.keys()].filter((name) => name.includes("/"));

/** The files with a changed list of modules. */
function withList(change) {
  const json = JSON.parse(files.get(list));
  return new Map([...files, [list, Buffer.from(JSON.stringify(change(json) ?? json))]]);
}

/** Optional files that are requested and that these models do not have. */
const absentFiles = ["adapter_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];
const hubOptions = () => ({ baseUrl: context.hub.url, cache: context.cache });

describe("a chain of modules", () => {
  for (const model of [cls, mean]) {
    test(`${model.name} has the scores of sentence-transformers from a folder, files, URLs, a Hub and its cache, and in a worker`, async () => {
      await assertScores(model, model.url);
      const published = filesIn(model.url);
      await assertScores(model, Object.fromEntries(published));
      await assertScores(model, Object.fromEntries([...published.keys()].map((name) => [name, new URL(name, model.url)])));
      await assertScores(model, Object.fromEntries(published), { workers: 1 });
      context.hub.publish(id, published);
      await assertScores(model, id, hubOptions());
      const requests = context.hub.requests.length;
      context.hub.down = true;
      await assertScores(model, id, hubOptions());
      assert.equal(context.hub.requests.length, requests, "the cache has all files");
    });
  }

  test("a chain of modules is downloaded at one commit, without requests for files that its modules do not have", async () => {
    const commit = context.hub.publish(id, files);
    await assertScores(cls, id, hubOptions());
    assert.deepEqual(
      requested()
        .filter((path) => path.includes("/"))
        .sort(),
      modules.sort(),
    );
    for (const { path } of context.hub.requests.slice(1)) assert.ok(path.includes(commit), path);
  });

  test("a module's weights are read from pytorch_model.bin if there is no model.safetensors", async () => {
    const torch = new Map(
      [...files].map(([name, bytes]) => [name.replace("2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"), bytes]),
    );
    context.hub.publish(id, torch);
    // The bytes are not in torch's format, so the error shows that they were read as such.
    await rejectsWith("weights", /2_Dense/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
    assert.ok(requested().includes("2_Dense/pytorch_model.bin"));
  });

  test("the progress of a chain of modules ends at the total size of its files, and its total is never too small", async () => {
    context.hub.publish(id, files);
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    for (const source of ["hub", "cache"]) {
      const events = [];
      await assertScores(cls, id, { ...hubOptions(), onProgress: (event) => events.push(event) });
      assert.deepEqual(events.at(-1).overall, { loaded: total, total }, source);
      for (const { overall } of events) assert.ok(overall.total === undefined || overall.total === total, `${overall.total} of ${total}`);
      const last = new Map(events.map((event) => [event.file, event]));
      for (const name of modules) assert.equal(last.get(name).loaded, files.get(name).length, name);
    }
  });

  for (const name of modules) {
    test(`a chain of modules without ${name} is refused with the name of the file, and nothing is cached`, async () => {
      const rest = new Map([...files].filter(([other]) => other !== name));
      const folder = name.split("/")[0];
      await rejectsWith(name.endsWith("json") ? "config" : "weights", new RegExp(`${folder}/\\S+ is missing`), () =>
        Reranker.load(Object.fromEntries(rest), { workers: 0 }),
      );
      context.hub.publish(id, rest);
      await rejectsWith("network", new RegExp(`${folder}/\\S+ is missing: http\\S+ answered 404`), () =>
        Reranker.load(id, { ...hubOptions(), workers: 0 }),
      );
      assert.deepEqual(context.models(), []);
    });
  }

  for (const name of ["normalize", "dropout"]) {
    test(`a chain with a module of the kind ${name} has the scores of sentence-transformers, with or without a configuration, from the cache too`, async () => {
      const form = forms.forms.find((one) => one.name === name);
      const changed = Object.entries(form.files).map(([file, content]) => [file, Buffer.from(JSON.stringify(content))]);
      for (const some of [changed, changed.filter(([file]) => file === list)]) {
        context.hub.publish(id, new Map([...filesIn(mean.url), ...some]));
        for (const down of [false, true]) {
          context.hub.down = down;
          const reranker = await Reranker.load(id, { dtype: "f32", workers: 0, ...hubOptions() });
          assertClose(await reranker.score(forms.pairs), form.scores.flat(), 1e-4, "scores");
          reranker.dispose();
        }
        context.hub.down = false;
      }
    });
  }

  test("a chain of modules is downloaded again if its cached files are damaged", async () => {
    context.hub.publish(id, files);
    await assertScores(cls, id, hubOptions());
    const stored = readdirSync(context.cache, { recursive: true }).find((path) => path.endsWith(join("2_Dense", "model.safetensors")));
    rmSync(join(context.cache, stored));
    await assertScores(cls, id, hubOptions());
    assert.ok(requested().filter((path) => path === "2_Dense/model.safetensors").length === 2);
  });
});

describe("a list of modules", () => {
  for (const path of [
    "../1_Pooling",
    "/1_Pooling",
    "a/b",
    "..",
    ".hidden",
    "1%2fPooling",
    "https://elsewhere.example",
    "1_Pooling?x",
    "",
    "a".repeat(97),
    7,
  ]) {
    test(`a list of modules with the path ${JSON.stringify(path).slice(0, 40)} is refused without requests for module files`, async () => {
      const published = withList((json) => void (json[1].path = path));
      await rejectsWith("config", /modules\.json/, () => Reranker.load(Object.fromEntries(published), { workers: 0 }));
      context.hub.publish(id, published);
      await rejectsWith("config", /modules\.json/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
      assert.deepEqual(
        requested().filter((name) => (!published.has(name) && !absentFiles.includes(name)) || name.includes("/")),
        [],
      );
    });
  }

  for (const [what, code, change] of [
    ["65 modules", "config", (json) => Array.from({ length: 65 }, () => json[1])],
    ["an object instead of an array", "config", () => ({})],
    ["a module of an unknown kind", "unsupported", (json) => void (json[2].type = "sentence_transformers.models.CNN")],
  ]) {
    test(`a list of modules with ${what} is refused, and only files that are read are requested`, async () => {
      context.hub.publish(id, withList(change));
      await rejectsWith(code, /modules\.json/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
      assert.ok(!requested().some((name) => name.startsWith("2_Dense")) || code === "unsupported");
      if (code === "unsupported") assert.ok(!requested().includes("2_Dense/config.json"));
    });
  }
});

test("a chain of modules loads from the URL of a folder", async () => {
  const site = await serveFolder(fileURLToPath(cls.url));
  try {
    await assertScores(cls, new URL(site.url), { cache: false });
  } finally {
    await site.stop();
  }
});
