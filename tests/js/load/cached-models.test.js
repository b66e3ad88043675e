// What users do with the cache: list, delete, limit and refresh it, ask for sizes, and name hashes.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { files, id, model, otherModel, scoresFrom, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";
import { faults, filesIn } from "../support/servers/hub.js";
import { until } from "../support/until.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { openModelCache } = await import(new URL("model/cached-models.js", dist));
const { nodeStores } = await import(new URL("platform/node-store.js", dist));
const [expected, otherExpected] = [await scoresFrom(model.url), await scoresFrom(otherModel.url)];
const context = withHub();
const otherId = "some-org/other";
const bytesOf = (all) => [...all.values()].reduce((sum, { length }) => sum + length, 0);
const bytes = bytesOf(files);
const where = () => ({ baseUrl: context.hub.url, cache: context.cache });
const cached = () => Reranker.cache.list({ cache: context.cache });
const urlOf = (model) => `${context.hub.url}/${model}/resolve/main/`;
const paths = () => context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => path.split("/").at(-1));

async function loadOther(options) {
  context.hub.publish(otherId, filesIn(otherModel.url));
  return scoresFrom(otherId, { ...where(), ...options });
}

describe("Reranker.cache", () => {
  test("an empty cache has no models", async () => {
    assert.deepEqual(await cached(), []);
    assert.equal(await Reranker.cache.size({ cache: join(context.cache, "none") }), 0);
    assert.equal(await Reranker.cache.has(id, where()), false);
    assert.equal(await Reranker.cache.delete(id, where()), false);
  });

  test("models are listed with their size, last used first, and found by id or URL", async () => {
    await context.scores();
    await loadOther();
    await context.scores({ weights: "model.safetensors" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await context.offline();
    // A load does not wait until its use is noted.
    await until(async () => {
      const [{ url, weights }] = await cached();
      return url === urlOf(id) && weights === undefined;
    });
    const list = await cached();
    assert.deepEqual(list.map(({ url, weights, complete }) => [url, weights, complete])[0], [urlOf(id), undefined, true]);
    assert.deepEqual(new Set(list.map(({ url }) => url)), new Set([urlOf(id), urlOf(otherId)]));
    assert.deepEqual(
      list.filter(({ weights }) => weights === "model.safetensors").map(({ url, bytes }) => [url, bytes]),
      [[urlOf(id), bytes]],
    );
    assert.equal(list[0].bytes, bytes);
    assert.ok(Date.now() - list[0].lastUsed < 60_000);
    assert.equal(await Reranker.cache.size({ cache: context.cache }), 2 * bytes + bytesOf(filesIn(otherModel.url)));
    for (const { url, weights } of list) assert.equal(await Reranker.cache.has(url, { cache: context.cache, weights }), true);
    assert.equal(await Reranker.cache.has(id, { ...where(), revision: "v2" }), false);
    assert.equal(await Reranker.cache.has(model.url, { cache: context.cache }), false);
  });

  test("a deleted model is downloaded again, and others stay", async () => {
    await context.scores();
    await loadOther();
    assert.equal(await Reranker.cache.delete(id, where()), true);
    assert.deepEqual(
      (await cached()).map(({ url }) => url),
      [urlOf(otherId)],
    );
    await assert.rejects(context.offline(), /requests made/);
  });

  test("an interrupted download is listed, is no cached model, and can be deleted", async () => {
    context.hub.setFault("model.safetensors", faults.cut);
    await rejectsWith("network", /broke off/, () => context.scores());
    const [{ url, complete, bytes: loaded }] = await cached();
    assert.deepEqual([url, complete], [urlOf(id), false]);
    assert.ok(loaded > 1000 && loaded < bytes);
    assert.equal(await Reranker.cache.has(id, where()), false);
    assert.equal(await Reranker.cache.delete(url, { cache: context.cache }), true);
    assert.deepEqual(await cached(), []);
  });

  test("wrong arguments are refused", async () => {
    await rejectsWith("input", /cache\.list: unknown option "name"/, () => Reranker.cache.list({ name: "x" }));
    await rejectsWith("input", /cache\.has: cache must be a string/, () => Reranker.cache.has(id, { cache: 1 }));
    await rejectsWith("input", /neither a Hub id/, () => Reranker.cache.delete("nothing"));
  });
});

describe("a limit of the cache", () => {
  test("the models that were not used for the longest time are removed", async () => {
    await context.scores();
    await context.scores({ weights: "model.safetensors" });
    const [first] = (await cached()).filter(({ weights }) => weights === undefined);
    assert.ok(first);
    const folder = createHash("sha256").update(first.url).digest("hex").slice(0, 32);
    utimesSync(join(context.cache, folder), 1, 1);
    await loadOther({ cache: { name: context.cache, maxBytes: bytes + bytesOf(filesIn(otherModel.url)) } });
    assert.deepEqual(
      (await cached()).map(({ url, weights }) => [url, weights]).sort(),
      [
        [urlOf(id), "model.safetensors"],
        [urlOf(otherId), undefined],
      ].sort(),
    );
  });

  test("a model that is larger than the limit is not stored, and others stay", async () => {
    await loadOther();
    const reranker = await context.load({ cache: { name: context.cache, maxBytes: bytes - 1 } });
    reranker.dispose();
    assert.match(reranker.info.warnings.at(-1), /could not be stored in the cache.*it has \d+ bytes, more than cache\.maxBytes, \d+$/);
    assert.deepEqual(
      (await cached()).map(({ url }) => url),
      [urlOf(otherId)],
    );
  });
});

describe("a refreshed cache", () => {
  const refresh = (options) => context.load({ cache: { name: context.cache, refresh: true }, ...options });
  const scores = () => context.scores({ cache: { name: context.cache, refresh: true } });

  test("one request tells that a branch has not moved", async () => {
    await context.scores();
    context.hub.requests = [];
    assert.deepEqual(await scores(), expected);
    assert.deepEqual(paths(), ["config.json"]);
    assert.deepEqual(await context.offline(), expected);
  });

  test("if a branch has moved, only files that differ are downloaded", async () => {
    await context.scores();
    const changed = Buffer.from(JSON.stringify({ ...JSON.parse(files.get("tokenizer_config.json") ?? "{}"), changed: true }));
    context.hub.publish(id, new Map([...files, ["tokenizer_config.json", changed]]));
    Object.assign(context.hub, { requests: [], sent: 0 });
    assert.deepEqual(await scores(), expected);
    assert.ok(context.hub.sent <= changed.length + files.get("config.json").length, String(context.hub.sent));
    Object.assign(context.hub, { requests: [], sent: 0 });
    await scores();
    assert.deepEqual(paths(), ["config.json"]);
    context.hub.publish(id, filesIn(otherModel.url));
    assert.deepEqual(await scores(), otherExpected);
    assert.deepEqual(await context.offline(), otherExpected);
    assert.equal((await cached()).length, 1);
  });

  test("files of a plain folder are compared by their ETags", async () => {
    const folder = `${context.hub.url}/${id}/resolve/main`;
    const load = (options) => scoresFrom(folder, { cache: { name: context.cache, ...options } });
    await load();
    context.hub.sent = 0;
    assert.deepEqual(await load({ refresh: true }), expected);
    assert.ok(context.hub.sent <= files.get("config.json").length, String(context.hub.sent));
    context.hub.publish(id, filesIn(otherModel.url));
    assert.deepEqual(await load(), expected);
    assert.deepEqual(await load({ refresh: true }), otherExpected);
  });

  test("if the server is down, the cached model is loaded with a warning", async () => {
    await context.scores();
    context.hub.down = true;
    const reranker = await refresh();
    reranker.dispose();
    assert.match(
      reranker.info.warnings.at(-1),
      /^the model is the one in the cache, because it could not be refreshed: .*could not be fetched/,
    );
    await rejectsWith("network", /could not be fetched/, () =>
      scoresFrom(otherId, { baseUrl: context.hub.url, cache: { name: context.cache, refresh: true } }),
    );
  });

  test("if the new version is refused, the former one stays in the cache", async () => {
    await context.scores();
    context.hub.publish(id, new Map([...files, ["config.json", Buffer.from("{")]]));
    await rejectsWith("config", /./, () => scores());
    assert.deepEqual(await context.offline(), expected);
  });

  test("it cannot be combined with localFilesOnly", async () => {
    await rejectsWith("input", /cache\.refresh needs requests.*localFilesOnly/, () => refresh({ localFilesOnly: true }));
  });
});

describe("Reranker.downloadSize", () => {
  test("it is the number of bytes that load downloads, and 0 if the model is there", async () => {
    context.hub.sent = 0;
    assert.equal(await Reranker.downloadSize(id, where()), bytes);
    await context.scores();
    assert.equal(await Reranker.downloadSize(id, where()), 0);
    assert.equal(await Reranker.downloadSize(), 0);
    assert.equal(await Reranker.downloadSize(model.url), 0);
    await rejectsWith("network", /config\.json is missing/, () => Reranker.downloadSize("some-org/none", where()));
  });

  test("files that are given as http URLs count, and their weights are not read", async () => {
    const given = Object.fromEntries([...files.keys()].map((name) => [name, `https://models.example/${name}`]));
    const announced = 1e9;
    let pieces = 0;
    const pull = (stream) => {
      pieces++;
      if (pieces < 1000) stream.enqueue(new Uint8Array(65_536));
      else stream.close();
    };
    const weights = () => new ReadableStream({ pull });
    const fetch = async ({ pathname }) => {
      const content = files.get(pathname.slice(1));
      const isWeights = pathname === "/model.safetensors";
      const headers = { "content-length": isWeights ? announced : content.length };
      return new Response(isWeights ? weights() : content, { headers });
    };
    const others = bytes - files.get("model.safetensors").length;
    assert.equal(await Reranker.downloadSize(given, { fetch }), announced + others);
    assert.ok(pieces < 100, `${pieces} pieces of the weights were read`);
  });

  test("responses and streams that are given are left for load", async () => {
    const given = {
      ...Object.fromEntries(files),
      "config.json": new Response(files.get("config.json")),
      "modules.json": new Response(files.get("modules.json")),
      "model.safetensors": new Blob([files.get("model.safetensors")]).stream(),
    };
    assert.equal(await Reranker.downloadSize(given), 0);
    assert.deepEqual(await scoresFrom(given), expected);
  });

  test("its signal ends it, also with a fetch that takes no signal", { timeout: 120_000 }, async () => {
    const controller = new AbortController();
    const never = () => {
      controller.abort("enough");
      return new Promise(() => {});
    };
    await rejectsWith("aborted", /./, () => Reranker.downloadSize(id, { ...where(), fetch: never, signal: controller.signal }));
  });

  test("it rejects without the weights, as load does", async () => {
    const gguf = "some-org/gguf";
    context.hub.publish(gguf, new Map([...[...files].filter(([name]) => name !== "model.safetensors"), ["model.gguf", new Uint8Array(9)]]));
    for (const lists of [false, true]) {
      context.hub.lists = lists;
      const sizeOf = (of, options) => () => Reranker.downloadSize(of, { ...where(), ...options });
      await rejectsWith(
        "network",
        /none\.safetensors is missing: .*\/none\.safetensors answered 404/,
        sizeOf(id, { weights: "none.safetensors" }),
      );
      await rejectsWith("network", /model\.safetensors is missing: .*; add it, or one of /, sizeOf(gguf));
    }
  });
});

describe("integrity", () => {
  const hash = (content, encoding) => createHash("sha256").update(content).digest(encoding);
  const right = {
    "config.json": hash(files.get("config.json"), "hex"),
    "model.safetensors": `sha256-${hash(files.get("model.safetensors"), "base64")}`,
  };
  const wrong = { "tokenizer.json": hash("other", "hex") };
  const sources = {
    "a Hub": () => [id, where()],
    "a local folder": () => [model.url, {}],
    "given files": () => [Object.fromEntries(files), {}],
  };

  for (const [what, source] of Object.entries(sources)) {
    test(`files of ${what} are compared with the given hashes`, async () => {
      const [from, options] = source();
      assert.deepEqual(await scoresFrom(from, { ...options, integrity: right }), expected);
      await rejectsWith("integrity", /tokenizer\.json has the SHA-256 [0-9a-f]{64} where integrity says [0-9a-f]{64}/, () =>
        scoresFrom(from, { ...options, integrity: wrong }),
      );
      for (const name of ["adapter.bin", "config.jsn"]) {
        await rejectsWith("input", /integrity has a hash of (adapter\.bin|config\.jsn), and the model has no such file/, () =>
          scoresFrom(from, { ...options, integrity: { [name]: hash("", "hex") } }),
        );
      }
    });
  }

  test("nothing is cached if a hash is wrong, and a cached file with a wrong hash is downloaded again", async () => {
    await rejectsWith("integrity", /./, () => context.scores({ integrity: wrong }));
    assert.deepEqual(await cached(), []);
    await context.scores();
    assert.deepEqual(await context.offline({ integrity: right }), expected);
    await rejectsWith("integrity", /tokenizer\.json has/, () => context.scores({ integrity: wrong }));
  });

  test("a wrong hash does not remove the cached model", async () => {
    await context.scores();
    await rejectsWith("integrity", /tokenizer\.json has/, () => context.scores({ integrity: wrong }));
    assert.deepEqual(await context.offline(), expected);
    context.hub.down = true;
    await rejectsWith("network", /could not be fetched/, () => context.scores({ integrity: wrong }));
    assert.deepEqual(await context.offline(), expected);
  });

  test("a hash of a file that the model lacks is refused before files are downloaded", async () => {
    const unknown = { "adapter.bin": hash("", "hex") };
    context.hub.lists = true;
    await rejectsWith("input", /a hash of adapter\.bin/, () => context.scores({ integrity: unknown }));
    assert.deepEqual(paths(), ["config.json"]);
    await context.scores();
    await rejectsWith("input", /a hash of adapter\.bin/, () => context.offline({ integrity: unknown }));
    assert.deepEqual(await context.offline(), expected);
  });

  test("removing the entry that was read keeps one that has replaced it", async () => {
    await context.scores();
    const stored = openModelCache(nodeStores(context.cache), urlOf(id));
    const { entry } = await stored.read();
    context.hub.publish(id, filesIn(otherModel.url));
    await context.scores({ cache: { name: context.cache, refresh: true } });
    await stored.remove(entry);
    assert.deepEqual(await context.offline(), otherExpected);
    await stored.remove((await stored.read()).entry);
    assert.deepEqual(await cached(), []);
  });
});
