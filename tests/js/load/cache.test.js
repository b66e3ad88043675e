// The cache in the file system: its content, its location, and how damage is repaired.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
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

/** The folder of the only model in the cache. */
const home = () =>
  join(
    context.cache,
    readdirSync(context.cache).find((name) => /^[0-9a-f]{32}$/.test(name)),
  );
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

describe("the cache in the file system", () => {
  test("a cached model is found by base URL, id and revision, with or without a token", async () => {
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

  test("with cache: false, nothing is written to the cache or read from it", async () => {
    await context.scores({ cache: false });
    assert.deepEqual(readdirSync(context.cache), []);
    await context.scores();
    await assert.rejects(context.offline({ cache: false }), /requests made/);
  });

  test("environment variables choose the folder of the cache", async (t) => {
    const { env } = process;
    const set = (changes) => {
      for (const name of ["RANKLET_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME"]) delete env[name];
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

  test("a model from the URL of a folder is cached only if the option asks for it", async () => {
    const folder = `${context.hub.url}/${id}/resolve/main`;
    const load = (cache) => scoresFrom(folder, { cache });
    assert.deepEqual(await load(undefined), expected);
    assert.deepEqual(readdirSync(context.cache), []);
    assert.deepEqual(await load(context.cache), expected);
    context.hub.down = true;
    assert.deepEqual(await load(context.cache), expected);
    await rejectsWith("network", /could not be fetched/, () => load(undefined));
  });

  test("a model from the URL of a folder is refused if its server names different commits", async () => {
    context.hub.faults.set("modules.json", faults.otherCommit);
    await rejectsWith("integrity", /try again/, () => scoresFrom(`${context.hub.url}/${id}/resolve/main`));
  });

  test("a wrong option does not remove a cached model", async () => {
    await context.scores();
    await rejectsWith("input", /./, () => context.offline({ maxLength: 100_000 }));
    assert.deepEqual(await context.offline(), expected);
  });

  test("the cache is intact after several processes and loads used it at the same time", async () => {
    const child = fileURLToPath(new URL("../support/children/load-child.js", import.meta.url));
    const run = () => promisify(execFile)(process.execPath, [child, id, context.hub.url, context.cache]);
    const [children, here] = await Promise.all([Promise.all([run(), run(), run()]), Promise.all([context.scores(), context.scores()])]);
    assert.equal(new Set(children.map(({ stdout }) => stdout)).size, 1);
    assert.deepEqual(JSON.parse(children[0].stdout).warnings, await warnings());
    for (const scores of [...here, await context.offline()]) assert.deepEqual(scores, expected);
  });
});

describe("a damaged cache", () => {
  const damages = {
    "a truncated file": () => truncateSync(fileOf("tokenizer.json"), 100),
    "a longer file": () => writeFileSync(fileOf("config.json"), " ", { flag: "a" }),
    "a missing file": () => rmSync(fileOf("model.safetensors")),
    "a missing optional file": () => rmSync(fileOf("modules.json")),
    "a folder instead of a file": () => {
      rmSync(fileOf("config.json"));
      mkdirSync(fileOf("config.json"));
    },
    "a missing folder of files": () => rmSync(join(home(), manifest().set), { recursive: true }),
    "a missing manifest": () => rmSync(manifestPath()),
    "an empty manifest": () => truncateSync(manifestPath(), 0),
    "half a manifest": () => truncateSync(manifestPath(), 80),
    "a huge manifest": () => writeFileSync(manifestPath(), `${" ".repeat(1e6)}${readFileSync(manifestPath(), "utf8")}`),
    "a manifest that is a list": () => writeFileSync(manifestPath(), "[]"),
    "a manifest of another version": () => rewrite({ version: 2 }),
    "a manifest of another model": () => rewrite({ model: "https://huggingface.co/a/b/resolve/main/" }),
    "a manifest without files": () => rewrite({ files: null }),
    "a manifest without a required file": () =>
      rewrite({ files: { ...manifest().files, "config.json": undefined }, absent: ["config.json"] }),
    "a manifest that does not say whether a file is absent": () => rewrite({ files: { ...manifest().files, "modules.json": undefined } }),
    "a manifest whose absent files are not names": () => rewrite({ absent: [...manifest().absent, { name: "chat_template.jinja" }] }),
    "a manifest with an ETag that is not text": () => rewrite({ etags: { "config.json": 1 } }),
    "a manifest with a length that is not a number": () => rewrite({ files: { ...manifest().files, "config.json": "long" } }),
  };
  for (const [what, damage] of Object.entries(damages)) {
    test(`a cache with ${what} is not used, and the model is downloaded again`, async () => {
      await context.scores();
      damage();
      await assert.rejects(context.offline(), /requests made/);
      assert.deepEqual(await warnings(), []);
      assert.deepEqual(await context.offline(), expected);
    });
  }

  test("files outside the cache are not touched if a manifest points to them", async () => {
    const outside = join(context.cache, "outside");
    await context.scores();
    for (const set of ["../outside", "..", ".", "/", "", outside]) {
      const { files: lengths } = manifest();
      mkdirSync(outside);
      writeFileSync(join(outside, "mine"), "mine");
      // Without the check, these would be read as the model's files, refused and removed.
      for (const [name, length] of Object.entries(lengths)) writeFileSync(join(outside, name), Buffer.alloc(length, "x"));
      rewrite({ set });
      await context.scores();
      assert.equal(readFileSync(join(outside, "mine"), "utf8"), "mine");
      rmSync(outside, { recursive: true });
      assert.deepEqual(await context.offline(), expected, set);
    }
  });

  for (const name of ["config.json", "tokenizer.json", "model.safetensors", "modules.json"]) {
    test(`a cached ${name} of the right length with wrong bytes is downloaded again, with a warning`, async () => {
      await context.scores();
      assert.deepEqual(await warnings(), []);
      writeFileSync(fileOf(name), Buffer.alloc(statSync(fileOf(name)).size, "x"));
      const shown = await warnings();
      assert.equal(shown.length, 1);
      assert.match(shown[0], /^the model was downloaded again, because its files in the cache were damaged: ./);
      assert.deepEqual(await context.offline(), expected);
      assert.deepEqual(await warnings(), []);
      assert.equal(readdirSync(home()).length, 2, "the damaged files are removed");
    });
  }

  test("if a cached file is damaged and the server is down, loading fails with the error of the download", async () => {
    await context.scores();
    writeFileSync(fileOf("config.json"), Buffer.alloc(statSync(fileOf("config.json")).size, "x"));
    context.hub.down = true;
    await rejectsWith("network", /config\.json could not be fetched/, () => context.scores());
    assert.deepEqual(readdirSync(home()), [], "the damaged files are removed");
  });

  test("if the download that replaces a damaged cache is refused too, loading fails without another attempt", async () => {
    await context.scores();
    writeFileSync(fileOf("config.json"), Buffer.alloc(statSync(fileOf("config.json")).size, "x"));
    context.hub.faults.set("config.json", faults.empty);
    await rejectsWith("config", /./, () => context.scores());
    context.hub.faults.clear();
    await assert.rejects(context.offline(), /requests made/);
  });
});

describe("a cache that cannot be used", () => {
  const warned = /^the model could not be stored in the cache and will be downloaded again next time: ./;
  const loadsAndWarns = async (options) => {
    assert.match((await warnings(options)).at(-1) ?? "", warned);
    assert.deepEqual(await context.scores(options), expected);
  };

  test("loading works and warns if the cache folder is a file", async () => {
    const file = join(context.cache, "file");
    writeFileSync(file, "");
    await loadsAndWarns({ cache: file });
    await loadsAndWarns({ cache: join(file, "below") });
  });

  test("loading works and warns if the manifest is a folder", async () => {
    await context.scores();
    rmSync(manifestPath());
    mkdirSync(manifestPath());
    await loadsAndWarns();
    assert.equal(readdirSync(home()).length, 2, "the files that could not be cached are removed");
  });

  for (const [what, mode] of [
    ["unreadable", 0o000],
    ["read-only", 0o500],
  ]) {
    test(`loading works and warns if the cache folder is ${what}`, {
      skip: (process.getuid?.() === 0 || process.platform === "win32") && "root reads and writes everything, and Windows has no modes",
    }, async () => {
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

  test("in a runtime without a cache, loading works unless an option asks for one", async () => {
    const { openCache } = await import(new URL("load/keep.js", dist));
    const location = { kind: "remote", folder: new URL("https://hub.example/a/b/resolve/main/"), hub: {} };
    const open = (cache) => openCache({ stores: () => undefined }, { options: { cache }, location });
    for (const wanted of [{}, { isWanted: false }]) assert.equal(open(wanted), undefined);
    for (const wanted of [{ isWanted: true }, { isWanted: true, name: "name" }]) {
      await rejectsWith("unsupported", /cache is not available here.*leave it out/, async () => open(wanted));
    }
  });
});

test("files that a killed process left in the cache are removed after an hour, and no others", async () => {
  await context.scores();
  const minutesAgo = (minutes) => `${Date.now() - minutes * 60_000}-abc`;
  const names = [minutesAgo(61), minutesAgo(59), "notes"];
  for (const name of names) {
    mkdirSync(join(home(), name));
    writeFileSync(join(home(), name, "config.json"), "{}");
  }
  rmSync(fileOf("config.json"));
  await context.scores();
  assert.deepEqual(
    names.map((name) => existsSync(join(home(), name))),
    [false, true, true],
  );
  assert.deepEqual(await context.offline(), expected);
});
