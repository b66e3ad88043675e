// The cache in the file system: what is kept, where, and what becomes of one that is damaged.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { rejectsWith } from "../support/assert.js";
import { id, model, otherModel, scoresFrom, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";
import { faults, filesIn } from "../support/servers/hub.js";

const [expected, otherExpected] = [await scoresFrom(model.url), await scoresFrom(otherModel.url)];
const context = withHub();

/** The one model's folder in the cache. */
const home = () => join(context.cache, readdirSync(context.cache).find((name) => /^[0-9a-f]{32}$/.test(name)));
const manifestPath = () => join(home(), "manifest.json");
const manifest = () => JSON.parse(readFileSync(manifestPath(), "utf8"));
const fileOf = (name) => join(home(), manifest().set, name);
const rewrite = (change) => writeFileSync(manifestPath(), JSON.stringify({ ...manifest(), ...change }));

async function warnings(options) {
  const reranker = await context.load(options);
  reranker.dispose();
  assert.ok(Object.isFrozen(reranker.info) && Object.isFrozen(reranker.info.warnings));
  return reranker.info.warnings;
}

describe("what is kept", () => {
  test("is found by base URL, id and revision, whoever asks", async () => {
    await context.scores();
    await context.offline();
    await context.offline({ baseUrl: `${context.hub.url}/`, revision: "main", token: "any" });
    context.hub.publish("some-org/other", filesIn(otherModel.url));
    context.hub.publish(id, filesIn(otherModel.url), "v2");
    assert.deepEqual(await scoresFrom("some-org/other", { baseUrl: context.hub.url, cache: context.cache }), otherExpected);
    assert.deepEqual(await context.scores({ revision: "v2" }), otherExpected);
    assert.deepEqual(await context.offline({ revision: "v2" }), otherExpected);
    assert.deepEqual(await context.offline(), expected);
    await assert.rejects(context.offline({ baseUrl: `${context.hub.url}/mirror` }), /requests made/);
    assert.equal(readdirSync(context.cache).length, 3);
  });

  test("is nothing with cache: false, and then nothing is read", async () => {
    await context.scores({ cache: false });
    assert.deepEqual(readdirSync(context.cache), []);
    await context.scores();
    await assert.rejects(context.offline({ cache: false }), /requests made/);
  });

  test("lies where the environment says", async (t) => {
    const { env } = process;
    const set = (changes) => {
      for (const name of ["RANKLET_CACHE", "XDG_CACHE_HOME", "HOME"]) delete env[name];
      Object.assign(env, changes);
    };
    const before = { ...env };
    t.after(() => set(before));
    const below = (name) => join(context.cache, name);
    const places = [[{ RANKLET_CACHE: below("a"), XDG_CACHE_HOME: below("b") }, "a"]];
    if (process.platform === "linux") {
      places.push([{ RANKLET_CACHE: "", XDG_CACHE_HOME: below("b") }, "b/ranklet"], [{ HOME: below("c") }, "c/.cache/ranklet"]);
    }
    for (const [changes, place] of places) {
      set(changes);
      for (const cache of [undefined, true]) {
        await context.scores({ cache });
        await context.offline({ cache });
      }
      assert.equal(readdirSync(below(place)).length, 1, place);
    }
  });

  test("is a folder's URL when it is asked for", async () => {
    const folder = `${context.hub.url}/${id}/resolve/main`;
    const load = (cache) => scoresFrom(folder, { cache });
    assert.deepEqual(await load(undefined), expected);
    assert.deepEqual(readdirSync(context.cache), []);
    assert.deepEqual(await load(context.cache), expected);
    context.hub.down = true;
    assert.deepEqual(await load(context.cache), expected);
    await rejectsWith("network", /could not be fetched/, () => load(undefined));
  });

  test("of a folder is of one commit too, where the server names them", async () => {
    context.hub.faults.set("modules.json", faults.otherCommit);
    await rejectsWith("integrity", /try again/, () => scoresFrom(`${context.hub.url}/${id}/resolve/main`));
  });

  test("stays when an option is wrong", async () => {
    await context.scores();
    await rejectsWith("input", /./, () => context.offline({ maxLength: 100_000 }));
    assert.deepEqual(await context.offline(), expected);
  });

  test("is whole when processes and loads meet", async () => {
    const child = fileURLToPath(new URL("../support/children/load-child.js", import.meta.url));
    const run = () => promisify(execFile)(process.execPath, [child, id, context.hub.url, context.cache]);
    const [children, here] = await Promise.all([Promise.all([run(), run(), run()]), Promise.all([context.scores(), context.scores()])]);
    assert.equal(new Set(children.map(({ stdout }) => stdout)).size, 1);
    assert.deepEqual(JSON.parse(children[0].stdout).warnings, await warnings());
    for (const scores of [...here, await context.offline()]) assert.deepEqual(scores, expected);
  });
});

describe("a damaged cache is not used, and mended", () => {
  const damages = {
    "a truncated file": () => truncateSync(fileOf("tokenizer.json"), 100),
    "a longer file": () => writeFileSync(fileOf("config.json"), " ", { flag: "a" }),
    "a missing file": () => rmSync(fileOf("model.safetensors")),
    "a missing optional file": () => rmSync(fileOf("modules.json")),
    "a folder for a file": () => (rmSync(fileOf("config.json")), mkdirSync(fileOf("config.json"))),
    "a missing set": () => rmSync(join(home(), manifest().set), { recursive: true }),
    "a missing manifest": () => rmSync(manifestPath()),
    "an empty manifest": () => truncateSync(manifestPath(), 0),
    "half a manifest": () => truncateSync(manifestPath(), 80),
    "a huge manifest": () => writeFileSync(manifestPath(), `${" ".repeat(1e6)}${readFileSync(manifestPath(), "utf8")}`),
    "a manifest that is a list": () => writeFileSync(manifestPath(), "[]"),
    "a manifest of another version": () => rewrite({ version: 2 }),
    "a manifest of another model": () => rewrite({ model: "https://huggingface.co/a/b/resolve/main/" }),
    "a manifest without files": () => rewrite({ files: null }),
    "a manifest without a needed file": () => rewrite({ files: { ...manifest().files, "config.json": undefined }, absent: ["config.json"] }),
    "a manifest that does not say whether a file is absent": () => rewrite({ files: { ...manifest().files, "modules.json": undefined } }),
    "a manifest with a length that is none": () => rewrite({ files: { ...manifest().files, "config.json": "long" } }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(what, async () => {
      await context.scores();
      damage();
      await assert.rejects(context.offline(), /requests made/);
      assert.deepEqual(await warnings(), []);
      assert.deepEqual(await context.offline(), expected);
    });
  }

  test("a manifest that points out of the cache, which is left alone", async () => {
    const outside = join(context.cache, "outside");
    await context.scores();
    for (const set of ["../outside", "..", ".", "/", "", outside]) {
      const { files: lengths } = manifest();
      mkdirSync(outside);
      writeFileSync(join(outside, "mine"), "mine");
      // Files that would be taken for the model's, be refused and be removed.
      for (const [name, length] of Object.entries(lengths)) writeFileSync(join(outside, name), Buffer.alloc(length, "x"));
      rewrite({ set });
      await context.scores();
      assert.equal(readFileSync(join(outside, "mine"), "utf8"), "mine");
      rmSync(outside, { recursive: true });
      assert.deepEqual(await context.offline(), expected, set);
    }
  });

  for (const name of ["config.json", "tokenizer.json", "model.safetensors", "modules.json"]) {
    test(`a file of the right length with the wrong bytes: ${name}`, async () => {
      await context.scores();
      assert.deepEqual(await warnings(), []);
      writeFileSync(fileOf(name), Buffer.alloc(statSync(fileOf(name)).size, "x"));
      const told = await warnings();
      assert.equal(told.length, 1);
      assert.match(told[0], /^the model was downloaded again, for the files in the cache were damaged: ./);
      assert.deepEqual(await context.offline(), expected);
      assert.deepEqual(await warnings(), []);
      assert.equal(readdirSync(home()).length, 2, "the damaged set is gone");
    });
  }

  test("and without a server the download's error is told", async () => {
    await context.scores();
    writeFileSync(fileOf("config.json"), Buffer.alloc(statSync(fileOf("config.json")).size, "x"));
    context.hub.down = true;
    await rejectsWith("network", /config\.json could not be fetched/, () => context.scores());
    assert.deepEqual(readdirSync(home()), [], "what is damaged is gone");
  });

  test("and a download that is refused in turn is told, and not tried again", async () => {
    await context.scores();
    writeFileSync(fileOf("config.json"), Buffer.alloc(statSync(fileOf("config.json")).size, "x"));
    context.hub.faults.set("config.json", faults.empty);
    await rejectsWith("config", /./, () => context.scores());
    context.hub.faults.clear();
    await assert.rejects(context.offline(), /requests made/);
  });
});

describe("a cache that cannot be used warns and does no harm", () => {
  const warned = /^the model could not be kept in the cache and will be downloaded again next time: ./;
  const loadsAndWarns = async (options) => {
    assert.match((await warnings(options)).at(-1) ?? "", warned);
    assert.deepEqual(await context.scores(options), expected);
  };

  test("where its folder is a file", async () => {
    const file = join(context.cache, "file");
    writeFileSync(file, "");
    await loadsAndWarns({ cache: file });
    await loadsAndWarns({ cache: join(file, "below") });
  });

  test("where its manifest is a folder", async () => {
    await context.scores();
    rmSync(manifestPath());
    mkdirSync(manifestPath());
    await loadsAndWarns();
    assert.equal(readdirSync(home()).length, 2, "what could not be kept is removed");
  });

  for (const [what, mode] of [["unreadable", 0o000], ["read-only", 0o500]]) {
    // Who is root may read and write everything.
    test(`where its folder is ${what}`, { skip: process.getuid?.() === 0 || process.platform === "win32" }, async () => {
      const folder = join(context.cache, "folder");
      mkdirSync(folder);
      chmodSync(folder, mode);
      try {
        await loadsAndWarns({ cache: folder });
      } finally {
        chmodSync(folder, 0o700);
      }
    });
  }

  test("a runtime without one has none, and says so when asked", async () => {
    const { openCache } = await import(new URL("load/keep.js", dist));
    const source = { kind: "remote", folder: new URL("https://hub.example/a/b/resolve/main/"), hub: {} };
    const nowhere = { store: () => undefined };
    for (const wanted of [undefined, false]) assert.equal(openCache(nowhere, source, wanted), undefined);
    for (const wanted of [true, "name"]) {
      await rejectsWith("unsupported", /cache is not available here.*leave it out/, async () => openCache(nowhere, source, wanted));
    }
  });
});

test("what a killed process left is removed after an hour, and nothing else", async () => {
  await context.scores();
  const minutesAgo = (minutes) => `${Date.now() - minutes * 60_000}-abc`;
  const names = [minutesAgo(61), minutesAgo(59), "notes"];
  for (const name of names) {
    mkdirSync(join(home(), name));
    writeFileSync(join(home(), name, "config.json"), "{}");
  }
  rmSync(fileOf("config.json"));
  await context.scores();
  assert.deepEqual(names.map((name) => existsSync(join(home(), name))), [false, true, true]);
  assert.deepEqual(await context.offline(), expected);
});
