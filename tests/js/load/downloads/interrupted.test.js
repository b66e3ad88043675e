// Downloads that are interrupted: by broken connections, by changes on the server, and by the end of the process. Each ends
// with the right scores or a clear error, hardly any byte is fetched twice, and the cache never has a wrong file.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../../support/assert.js";
import { files, id, model, otherModel, pairs, scoresFrom, withHub } from "../../support/models/hub-model.js";
import { dist, inRepository } from "../../support/paths.js";
import { faults, filesIn, inTurn, restAnsweredBy, sendFile } from "../../support/servers/hub.js";

const { createRecord, newEntryName, parseRecord } = await import(new URL("model/manifest.js", dist));
const { fixedNames, maxShards } = await import(new URL("model/model-files.js", dist));

const [expected, otherExpected] = [await scoresFrom(model.url), await scoresFrom(otherModel.url)];
const context = withHub();
const weights = "model.safetensors";
const sizeOf = (all) => [...all.values()].reduce((sum, { length }) => sum + length, 0);
const loadChild = fileURLToPath(new URL("../../support/children/load-child.js", import.meta.url));
/** A model of 24 MB, which arrives in many pieces. */
const large = { id: "some-org/large", files: filesIn(new URL(`file://${inRepository("models/default/")}`)) };

/** Asserts that the scores are right, that at most 5 % was fetched twice, and that the cache has the model. */
async function loadsWithLittleWaste(load = () => context.scores(), { size = sizeOf(files), right = expected } = {}) {
  assert.deepEqual(await load(), right);
  assert.ok(context.hub.sent <= 1.05 * size, `${context.hub.sent} bytes were sent for ${size}`);
}

describe("a download that breaks off", () => {
  test("one of a model with as many shards as a model may have is recorded and can continue", async () => {
    const folder = "https://huggingface.co/some-organization/a-model-with-a-long-name/resolve/main/";
    const shards = Array.from({ length: maxShards }, (_, at) => `model-${String(at + 1).padStart(5, "0")}-of-00256.safetensors`);
    const hash = "0123456789abcdef".repeat(4);
    const version = (name) => ({ url: `${folder}${name}`, etag: `"${hash}"`, bytes: 5e9, sha256: hash });
    const versions = Object.fromEntries([...fixedNames, "model.safetensors.index.json", ...shards].map((name) => [name, version(name)]));
    const record = await parseRecord(folder, createRecord(folder, newEntryName(), versions));
    assert.deepEqual(record?.files, versions);
  });

  test("a download that breaks off at 50 random places continues there", async () => {
    const random = seeded(1);
    const total = sizeOf(files);
    const places = new Set();
    for (let run = 0; run < 50; run++) {
      // A place in all files together, so that it is in a large file more often.
      let place = Math.floor(random() * total);
      const [name] = [...files].find(([, { length }]) => (place -= length) < 0);
      const end = files.get(name).length + place;
      places.add(`${name} ${end}`);
      Object.assign(context.hub, { sent: 0, requests: [] });
      context.hub.setFault(name, inTurn([faults.cutAt(end)]));
      await loadsWithLittleWaste(() => context.scores({ cache: `${context.cache}/${run}` }));
      const ranges = new Set(context.hub.requests.flatMap(({ range }) => range ?? []));
      assert.deepEqual([...ranges], end === 0 ? [] : [`bytes=${end}-`], `${name} was cut at ${end}`);
      assert.deepEqual(await context.offline({ cache: `${context.cache}/${run}` }), expected);
      context.hub.clearFaults();
    }
    assert.equal(places.size, 50);
    assert.ok(new Set([...places].map((place) => place.split(" ")[0])).size > 1, "in several files");
  });

  test("a file that breaks off 50 times is fetched once", async () => {
    const random = seeded(2);
    context.hub.publish(large.id, large.files);
    const { length } = large.files.get(weights);
    let cuts = 0;
    context.hub.setFault(weights, (exchange) =>
      cuts++ < 50 ? faults.cutAt(Math.floor((random() * length) / 25))(exchange) : sendFile(exchange),
    );
    const right = await scoresFrom(new URL(`file://${inRepository("models/default/")}`));
    await loadsWithLittleWaste(() => scoresFrom(large.id, { baseUrl: context.hub.url, cache: context.cache }), {
      size: sizeOf(large.files),
      right,
    });
    assert.ok(cuts > 50);
  });

  test("without a cache, a download continues too", async () => {
    context.hub.setFault(weights, inTurn([faults.cutAt(1000)]));
    await loadsWithLittleWaste(() => context.scores({ cache: false }));
  });

  test("a folder of a plain server is continued by its ETag", async () => {
    context.hub.setFault("tokenizer.json", inTurn([faults.cutAt(1000)]));
    await loadsWithLittleWaste(() => scoresFrom(`${context.hub.url}/${id}/resolve/main`));
  });

  for (const [what, rest] of [
    ["ignores ranges", faults.whole],
    ["answers 416", faults.outOfRange],
    ["sends another range", faults.wrongRange],
  ]) {
    test(`a file starts again if its server ${what}`, async () => {
      const fault = restAnsweredBy(rest);
      context.hub.setFault(weights, fault);
      // A server that sends another range has sent it before the load can refuse it.
      if (rest === faults.wrongRange) assert.deepEqual(await context.scores(), expected);
      else await loadsWithLittleWaste();
      assert.ok(fault.wasSent);
      assert.deepEqual(await context.offline(), expected);
    });
  }

  test("a file starts again if it has another ETag", async () => {
    let requests = 0;
    const changed = Buffer.from(`${files.get("tokenizer.json")}\n\n`);
    context.hub.setFault("tokenizer.json", (exchange) => {
      if (requests++ === 0)
        return faults.cutAt(1000)({
          ...exchange,
          bytes: Buffer.alloc(5000, "x"),
          head: { ...exchange.head, "content-length": 5000, etag: '"old"' },
        });
      return sendFile({ ...exchange, bytes: changed, head: { ...exchange.head, "content-length": changed.length, etag: '"new"' } });
    });
    await loadsWithLittleWaste();
    assert.deepEqual(await context.offline(), expected);
  });

  test("a branch that moves while a file of a plain folder is downloaded is an error", async () => {
    let requests = 0;
    context.hub.setFault("tokenizer.json", (exchange) => (requests++ === 0 ? faults.cutAt(1000)(exchange) : faults.otherCommit(exchange)));
    await rejectsWith("integrity", /is of commit f{40} where .*try again/, () => scoresFrom(`${context.hub.url}/${id}/resolve/main`));
  });
});

describe("a server that asks to wait", () => {
  for (const status of [429, 503]) {
    test(`a load waits as long as a ${status} says`, async () => {
      context.hub.setFault("tokenizer.json", inTurn([faults.retryAfter(status, 1)]));
      const started = Date.now();
      await loadsWithLittleWaste();
      assert.ok(Date.now() - started >= 990);
    });
  }

  test("a date is understood, and a wait of more than a minute is an error that names it", async () => {
    context.hub.setFault("config.json", faults.retryAfter(429, new Date(Date.now() + 90_000).toUTCString()));
    await rejectsWith("network", /answered 429 Too Many Requests: try again in (89|90) seconds/, () => context.scores());
  });

  test("the signal ends the wait", async () => {
    context.hub.setFault("config.json", faults.retryAfter(429, 30));
    await rejectsWith("aborted", /./, () => context.scores({ signal: AbortSignal.timeout(200) }));
  });
});

describe("a SHA-256 that the Hub names", () => {
  test("a file with another one is refused and not cached", async () => {
    const wrong = Buffer.from(files.get(weights));
    wrong[wrong.length - 1] ^= 1;
    context.hub.setFault(weights, (exchange) => sendFile({ ...exchange, bytes: wrong }));
    await rejectsWith("integrity", /model\.safetensors has the SHA-256 [0-9a-f]{64} where [0-9a-f]{64} was expected/, () =>
      context.scores(),
    );
    assert.deepEqual(context.models(), []);
    context.hub.clearFaults();
    assert.deepEqual(await context.scores(), expected);
  });

  test("a beginning that was damaged since is downloaded again", async () => {
    context.hub.setFault(weights, faults.cut);
    await rejectsWith("network", /broke off/, () => context.scores());
    context.hub.clearFaults();
    const [path] = await filesNamed(weights);
    await fs.writeFile(path, Buffer.alloc((await fs.stat(path)).size, "x"));
    assert.deepEqual(await context.scores(), expected);
    assert.deepEqual(await context.offline(), expected);
  });
});

describe("an earlier download", () => {
  test("a load that was aborted is continued by the next one", async () => {
    context.hub.setFault(weights, ({ response, head, bytes }) => response.writeHead(200, head).write(bytes.subarray(0, bytes.length / 2)));
    const controller = new AbortController();
    const onProgress = ({ file, loaded }) => file === weights && loaded > 1000 && controller.abort();
    await rejectsWith("aborted", /./, () => context.scores({ signal: controller.signal, onProgress }));
    assert.deepEqual(context.models(), []);
    context.hub.clearFaults();
    context.hub.sent = 0;
    assert.deepEqual(await context.scores(), expected);
    assert.ok(context.hub.sent < 0.7 * sizeOf(files), `${context.hub.sent} of ${sizeOf(files)}`);
  });

  test("a process that is killed in the middle is continued by the next one, with the lock that it left", async () => {
    context.hub.publish(large.id, large.files);
    const { length } = large.files.get(weights);
    const half = new Promise((resolve) =>
      context.hub.setFault(weights, ({ response, head, bytes }) => {
        response.writeHead(200, head).write(bytes.subarray(0, length / 2), () => setTimeout(resolve, 500));
      }),
    );
    const child = spawn(process.execPath, [loadChild, large.id, context.hub.url, context.cache]);
    const ended = once(child, "exit");
    await half;
    child.kill("SIGKILL");
    await ended;
    context.hub.clearFaults();
    const right = await scoresFrom(new URL(`file://${inRepository("models/default/")}`));
    await loadsWithLittleWaste(() => scoresFrom(large.id, { baseUrl: context.hub.url, cache: context.cache }), {
      size: sizeOf(large.files),
      right,
    });
  });

  test("a beginning of another version is not continued", async () => {
    context.hub.setFault("tokenizer.json", faults.cut);
    await rejectsWith("network", /broke off/, () => context.scores());
    context.hub.clearFaults();
    context.hub.publish(id, filesIn(otherModel.url));
    assert.deepEqual(await context.scores(), otherExpected);
    assert.deepEqual(await context.offline(), otherExpected);
  });
});

test("several processes and loads that begin together download a model once", async () => {
  const run = async () => {
    const child = spawn(process.execPath, [loadChild, id, context.hub.url, context.cache]);
    let output = "";
    child.stdout.on("data", (text) => (output += text));
    await once(child, "exit");
    return JSON.parse(output).score;
  };
  const [children, scores, others] = await Promise.all([Promise.all([run(), run(), run()]), context.scores(), context.scores()]);
  assert.equal(new Set(children).size, 1);
  assert.deepEqual([scores, others], [expected, expected]);
  assert.equal(context.hub.requests.filter(({ origin }) => origin === "elsewhere").length, 1);
});

test("a disk that becomes full in the middle of a download leads to a warning and to no cache", async (t) => {
  const { appendFile } = fs;
  let written = 0;
  fs.appendFile = (path, bytes) => {
    written += bytes.length;
    return written > 5000
      ? Promise.reject(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" }))
      : appendFile(path, bytes);
  };
  syncBuiltinESMExports();
  t.after(() => {
    fs.appendFile = appendFile;
    syncBuiltinESMExports();
  });
  const reranker = await context.load();
  assert.match(reranker.info.warnings.at(-1), /could not be stored in the cache and will be downloaded again next time: ENOSPC/);
  assert.deepEqual(await reranker.score(pairs), expected);
  assert.ok(context.hub.sent <= 1.05 * sizeOf(files), `${context.hub.sent} bytes were sent`);
  reranker.dispose();
  assert.deepEqual(await filesNamed(""), []);
});

/** Returns the paths of files in the cache whose name ends so. */
async function filesNamed(ending) {
  const entries = await fs.readdir(context.cache, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
}

/** Returns a function like Math.random that always gives the same numbers (mulberry32). */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
