// Checkpoints that are chains of modules, whose files lie in folders of their own, from wherever files come.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync } from "node:fs";
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
/** What was asked of the Hub, by the place in its folder. */
const asked = () => context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)[1]);

/** Loads, and compares with sentence-transformers. */
async function agrees({ expected }, source, options) {
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

/** The files with another list of modules. */
function withList(change) {
  const json = JSON.parse(files.get(list));
  return new Map([...files, [list, Buffer.from(JSON.stringify(change(json) ?? json))]]);
}

/** Files that every model is asked for and these have not. */
const absentFiles = ["adapter_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];
const hubOptions = () => ({ baseUrl: context.hub.url, cache: context.cache });

describe("a chain of modules", () => {
  for (const model of [cls, mean]) {
    test(`${model.name} scores as sentence-transformers: a folder, files, URLs, a worker, a Hub, its cache`, async () => {
      await agrees(model, model.url);
      const held = filesIn(model.url);
      await agrees(model, Object.fromEntries(held));
      await agrees(model, Object.fromEntries([...held.keys()].map((name) => [name, new URL(name, model.url)])));
      await agrees(model, Object.fromEntries(held), { workers: 1 });
      context.hub.publish(id, held);
      await agrees(model, id, hubOptions());
      const requests = context.hub.requests.length;
      context.hub.down = true;
      await agrees(model, id, hubOptions());
      assert.equal(context.hub.requests.length, requests, "the cache has all of it");
    });
  }

  test("is downloaded at one commit, with nothing asked for that modules of its kinds do not have", async () => {
    const commit = context.hub.publish(id, files);
    await agrees(cls, id, hubOptions());
    assert.deepEqual(asked().filter((path) => path.includes("/")).sort(), modules.sort());
    for (const { path } of context.hub.requests.slice(1)) assert.ok(path.includes(commit), path);
  });

  test("has its weights in torch's form where there is no other", async () => {
    const torch = new Map([...files].map(([name, bytes]) => [name.replace("2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"), bytes]));
    context.hub.publish(id, torch);
    // The bytes are not torch's: that they are read as such shows that they have come.
    await rejectsWith("weights", /2_Dense/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
    assert.ok(asked().includes("2_Dense/pytorch_model.bin"));
  });

  test("comes with progress that ends at the sum of all files and never says too little", async () => {
    context.hub.publish(id, files);
    const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    for (const source of ["hub", "cache"]) {
      const events = [];
      await agrees(cls, id, { ...hubOptions(), onProgress: (event) => events.push(event) });
      assert.deepEqual(events.at(-1).overall, { loaded: total, total }, source);
      for (const { overall } of events) assert.ok(overall.total === undefined || overall.total === total, `${overall.total} of ${total}`);
      const last = new Map(events.map((event) => [event.file, event]));
      for (const name of modules) assert.equal(last.get(name).loaded, files.get(name).length, name);
    }
  });

  for (const name of modules) {
    test(`without ${name} is refused by its name, and nothing is kept`, async () => {
      const rest = new Map([...files].filter(([other]) => other !== name));
      const folder = name.split("/")[0];
      await rejectsWith(name.endsWith("json") ? "config" : "weights", new RegExp(`${folder}/\\S+ is missing`), () => Reranker.load(Object.fromEntries(rest), { workers: 0 }));
      context.hub.publish(id, rest);
      await rejectsWith("network", new RegExp(`${folder}/\\S+ is missing: http\\S+ answered 404`), () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
      assert.deepEqual(readdirSync(context.cache), []);
    });
  }

  for (const name of ["normalize", "dropout"]) {
    test(`with ${name} scores as sentence-transformers, with its configuration or without, from the cache too`, async () => {
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

  test("that is damaged in the cache is downloaded again", async () => {
    context.hub.publish(id, files);
    await agrees(cls, id, hubOptions());
    const stored = readdirSync(context.cache, { recursive: true }).find((path) => path.endsWith(join("2_Dense", "model.safetensors")));
    rmSync(join(context.cache, stored));
    await agrees(cls, id, hubOptions());
    assert.ok(asked().filter((path) => path === "2_Dense/model.safetensors").length === 2);
  });
});

describe("a list of modules", () => {
  for (const path of ["../1_Pooling", "/1_Pooling", "a/b", "..", ".hidden", "1%2fPooling", "https://elsewhere.example", "1_Pooling?x", "", "a".repeat(97), 7]) {
    test(`that leads to ${JSON.stringify(path).slice(0, 40)} is refused, and nothing is asked for`, async () => {
      const held = withList((json) => void (json[1].path = path));
      await rejectsWith("config", /modules\.json/, () => Reranker.load(Object.fromEntries(held), { workers: 0 }));
      context.hub.publish(id, held);
      await rejectsWith("config", /modules\.json/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
      assert.deepEqual(asked().filter((name) => (!held.has(name) && !absentFiles.includes(name)) || name.includes("/")), []);
    });
  }

  for (const [what, code, change] of [
    ["of many modules", "config", (json) => Array.from({ length: 65 }, () => json[1])],
    ["that is an object", "config", () => ({})],
    ["with a module of another kind", "unsupported", (json) => void (json[2].type = "sentence_transformers.models.CNN")],
  ]) {
    test(`${what} is refused, and only what is read is asked for`, async () => {
      context.hub.publish(id, withList(change));
      await rejectsWith(code, /modules\.json/, () => Reranker.load(id, { ...hubOptions(), workers: 0 }));
      assert.ok(!asked().some((name) => name.startsWith("2_Dense")) || code === "unsupported");
      if (code === "unsupported") assert.ok(!asked().includes("2_Dense/config.json"));
    });
  }
});

test("a chain behind a folder's URL", async () => {
  const site = await serveFolder(fileURLToPath(cls.url));
  try {
    await agrees(cls, new URL(site.url), { cache: false });
  } finally {
    await site.stop();
  }
});
