import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";

import { rejectsWith } from "./support/assert.js";
import { checkpoints } from "./support/fixtures.js";
import { faults, filesIn, startHub } from "./support/hub-server.js";
import { dist } from "./support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const [model, otherModel] = checkpoints().filter(({ url, expected }) => expected.num_labels === 1 && existsSync(new URL("modules.json", url)));
const pairs = model.expected.pairs.slice(0, 3);
const files = filesIn(model.url);
const id = "some-org/a.model";
const [expected, otherExpected] = [await scoresFrom(model.url), await scoresFrom(otherModel.url)];

let hub;
let cache;
before(async () => (hub = await startHub()));
after(() => hub.stop());
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "ranklet-cache-"));
  hub.publish(id, files);
});
afterEach(() => {
  rmSync(cache, { recursive: true, force: true });
  Object.assign(hub, { requests: [], down: false });
  for (const set of [hub.faults, hub.gated, hub.tokens]) set.clear();
});

/** On this thread, for speed. */
async function scoresFrom(source, options) {
  const reranker = await Reranker.load(source, { workers: 0, ...options });
  try {
    return await reranker.score(pairs);
  } finally {
    reranker.dispose();
  }
}

const fromHub = (options) => scoresFrom(id, { baseUrl: hub.url, cache, ...options });

/** Loads without a server, or says why that cannot be. */
async function offline(options) {
  hub.down = true;
  const before = hub.requests.length;
  try {
    const scores = await fromHub(options);
    assert.equal(hub.requests.length, before, "no request is made");
    return scores;
  } finally {
    hub.down = false;
  }
}

const kept = () => readdirSync(cache, { recursive: true });

describe("a model of a Hub", () => {
  test("gives the scores of its folder, then from the cache, in a worker too", async () => {
    assert.deepEqual(await fromHub(), expected);
    assert.deepEqual(await offline(), expected);
    assert.deepEqual(await offline({ workers: 1 }), expected);
  });

  test("is asked for at the revision, encoded, and then at its commit", async () => {
    const commit = hub.publish(id, files, "refs/pr/1");
    await fromHub({ revision: "refs/pr/1" });
    const asked = hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => path);
    assert.equal(asked[0], `/${id}/resolve/refs%2Fpr%2F1/config.json`);
    assert.equal(asked.length, 7);
    for (const path of asked.slice(1)) assert.ok(path.startsWith(`/${id}/resolve/${commit}/`), path);
  });

  test("has a base URL with a path, with or without a slash", async () => {
    for (const baseUrl of [`${hub.url}/mirror/of`, `${hub.url}/mirror/of/`]) assert.deepEqual(await fromHub({ baseUrl, cache: false }), expected);
    assert.ok(hub.requests.some(({ path }) => path.startsWith(`/mirror/of/${id}/resolve/main/`)));
  });

  test("that changes while it is downloaded is still of one commit", async () => {
    hub.faults.set("config.json", ({ response, head, bytes }) => {
      response.writeHead(200, head).end(bytes);
      hub.publish(id, filesIn(otherModel.url));
    });
    assert.deepEqual(await fromHub(), expected);
    hub.faults.clear();
    assert.deepEqual(await offline(), expected, "a branch stays at the commit it had");
    assert.deepEqual(await fromHub({ cache: false }), otherExpected);
  });

  test("at a commit must be of that commit", async () => {
    const commit = hub.publish(id, files);
    assert.deepEqual(await fromHub({ revision: commit }), expected);
    hub.faults.set("config.json", faults.otherCommit);
    await rejectsWith("integrity", /config\.json is of commit f{40} where [0-9a-f]{40} was expected.*try again/, () =>
      fromHub({ revision: commit, cache: false }),
    );
  });

  test("tells how far each file and all are", async () => {
    for (const workers of [0, 1]) {
      const told = [];
      await fromHub({ workers, onProgress: (progress) => told.push(progress) });
      const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
      assert.deepEqual(told.at(-1).overall, { loaded: total, total });
      const last = new Map(told.map(({ file, loaded, total: all }) => [file, { loaded, total: all }]));
      for (const [name, { length }] of files) assert.deepEqual(last.get(name), { loaded: length, total: length }, name);
      for (const { overall } of told) assert.ok(overall.total === undefined || overall.total === total);
      let loaded = 0;
      for (const { overall } of told) assert.ok(overall.loaded >= loaded, "never goes back", (loaded = overall.loaded));
    }
  });
});
