// Workers of Node read weights while they are downloaded. Failures and aborts end the load meanwhile.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { assertClose, rejectsWith } from "../../support/assert.js";
import { pairs, scoresFrom } from "../../support/models/hub-model.js";
import { writeRandomModel } from "../../support/models/random-model.js";
import { inShards } from "../../support/models/safetensors.js";
import { dist } from "../../support/paths.js";
import { filesIn } from "../../support/servers/hub.js";
import { until } from "../../support/until.js";

const { loadModel } = await import(new URL("load/load.js", dist));
const { node } = await import(new URL("platform/node.js", dist));

const folderUrl = "https://models.example/large/";
const weights = "model.safetensors";
const megabyte = 2 ** 20;

describe("workers and large weights that are downloaded", () => {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-arriving-"));
  let files;
  let expected;
  before(async () => {
    const model = pathToFileURL(`${folder}/`);
    writeRandomModel(model, { layers: 4, hidden: 384 });
    const { ranklet: _, ...config } = JSON.parse(readFileSync(new URL("config.json", model))); // It lists the files of one form.
    files = filesIn(model).set("config.json", Buffer.from(JSON.stringify(config)));
    expected = await scoresOf(files);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const scoresOf = (some) => scoresFrom(Object.fromEntries(some));

  /** A server of files. `answers` has functions for the first requests for a file's name, which return a stream of its bytes. */
  function server(some = files, answers = {}) {
    const sent = { cancelled: 0, requests: [] };
    const fetch = async (url, { cache } = {}) => {
      const name = basename(new URL(url).pathname);
      sent.requests.push({ name, cache });
      const answer = answers[name]?.shift();
      const content = answer?.bytes ?? some.get(name);
      if (content === undefined) return new Response(null, { status: 404 });
      const steps = (answer?.source ?? inTwoParts)(content);
      const body = new ReadableStream({
        async pull(controller) {
          const { done, value } = await steps.next();
          if (done) controller.close();
          else controller.enqueue(new Uint8Array(value));
        },
        cancel: () => void sent.cancelled++,
      });
      return new Response(body, { headers: { "content-length": `${content.length}`, etag: `"${answer?.etag ?? name}"` } });
    };
    return { fetch, sent };
  }

  /** Loads from a server, in workers that note what is posted to them, and what they reply. */
  async function load({ fetch }, options = {}, port = {}) {
    const started = [];
    const startWorker = () => {
      const own = { ...node.startWorker(), ...port };
      const worker = { posted: [], replies: [], ended: false, end: own.terminate };
      started.push(worker);
      return {
        ...own,
        post: (request, transfer) => {
          worker.posted.push(request);
          own.post(request, transfer);
        },
        listen: (onMessage, onEnd) =>
          own.listen((message) => {
            worker.replies.push(message.type);
            onMessage(message);
          }, onEnd),
        terminate: () => {
          worker.ended = true;
          return own.terminate();
        },
      };
    };
    options.onStarted?.(started);
    const { onStarted: _, source = folderUrl, ...others } = options;
    const { scorer } = await loadModel({ ...node, startWorker }, source, { workers: 1, fetch, ...others });
    const scores = new Float32Array(pairs.length);
    let at = 0;
    const job = { kind: "pairs", queries: pairs.map(([query]) => query), documents: pairs.map(([, document]) => document) };
    await scorer.score(job, {
      scores: "model",
      onPartial: (partial) => {
        scores.set(partial.scores, at);
        at += partial.scores.length;
      },
    });
    scorer.dispose();
    return { started, scores };
  }
  const assertRight = ({ scores }, other = expected) => assertClose(scores, other, 1e-6, "scores");
  const isArriving = (data) => data instanceof Object && "port" in data;
  const sentTo = ({ posted }) => posted[0].files.get(weights);

  /** The bytes, of which those of large files take so long that workers may have been started before. */
  async function* inTwoParts(bytes) {
    const half = bytes.length > megabyte ? bytes.length / 2 : bytes.length;
    yield bytes.subarray(0, half);
    await wait(half < bytes.length ? 500 : 0);
    yield bytes.subarray(half);
  }
  /** The bytes, of which the last ones of large files come when so many workers have got their first request. */
  const afterWorkers = (count, onStarted) =>
    async function* (bytes) {
      const half = bytes.length > megabyte ? bytes.length / 2 : bytes.length;
      yield bytes.subarray(0, half);
      if (half < bytes.length) await until(() => onStarted().filter(({ posted }) => posted.length > 0).length === count);
      yield bytes.subarray(half);
    };
  /** The bytes up to `count`, and then nothing until the stream is cancelled. */
  const stalled = (count) =>
    async function* (bytes) {
      yield bytes.subarray(0, count);
      await new Promise(() => {});
    };
  const wrongHeader = (bytes) => Buffer.from(bytes).fill("?", 8, 100);

  test("workers read weights while they arrive, in one file or in shards", async () => {
    for (const some of [files, inShards(files, weights, (name) => (name.includes("layer") ? 1 : 0))]) {
      for (const options of [{}, { workers: 2, split: "layers" }]) {
        let started;
        const source = afterWorkers(options.workers ?? 1, () => started);
        const answers = Object.fromEntries([...some.keys()].map((name) => [name, [{ source }]]));
        const outcome = await load(server(some, answers), { ...options, onStarted: (all) => (started = all) });
        assertRight(outcome);
        assert.equal(outcome.started.length, options.workers ?? 1);
        for (const {
          posted: [{ files: sent }],
        } of outcome.started) {
          for (const [name, data] of sent) assert.equal(isArriving(data), name.endsWith(".safetensors"), name);
        }
      }
    }
  });

  test("wrong weights are an error before they are complete, which says that the download may be damaged", async () => {
    const { fetch, sent } = server(files, { [weights]: [{ bytes: wrongHeader(files.get(weights)), source: stalled(30 * megabyte) }] });
    await rejectsWith("weights", /model\.safetensors.*still being downloaded, and may be damaged: try again/, () => load({ fetch }));
    await until(() => sent.cancelled === 1);
    const whole = new Map(files).set(weights, wrongHeader(files.get(weights)));
    await assert.rejects(
      load(server(whole), { cache: join(folder, "wrong") }),
      ({ code, message }) => code === "weights" && !message.includes("downloaded"),
    );
  });

  test("if the file begins again after the engine has all it needs, the new file counts", async () => {
    const other = Buffer.from(files.get(weights));
    // The classifier's weights come last.
    for (let at = other.length - 4 * 384; at < other.length; at += 4) other.writeFloatLE(-other.readFloatLE(at), at);
    const otherScores = await scoresOf(new Map(files).set(weights, other));
    assert.ok(Math.abs(otherScores[0] - expected[0]) > 1e-3);
    let started;
    const broken = async function* (bytes) {
      yield bytes;
      await until(() => started[0].replies.includes("loaded"));
      throw new Error("the connection broke");
    };
    const outcome = await load(
      server(files, {
        [weights]: [
          { source: broken, etag: "a" },
          { bytes: other, etag: "b" },
        ],
      }),
      { onStarted: (all) => (started = all) },
    );
    assertRight(outcome, otherScores);
    assert.deepEqual(
      outcome.started.map(({ ended }) => ended),
      [true, true],
    );
  });

  test("an abort and a lost worker end the download and the workers", async () => {
    for (const [code, end] of [
      ["aborted", (controller) => controller.abort()],
      ["internal", (_, [{ end: lose }]) => lose()],
    ]) {
      const controller = new AbortController();
      let started;
      const { fetch, sent } = server(files, { [weights]: [{ source: stalled(30 * megabyte) }] });
      const loading = load({ fetch }, { workers: 2, split: "layers", signal: controller.signal, onStarted: (all) => (started = all) });
      loading.catch(() => {});
      await until(() => started.length === 2 && started.every(({ posted }) => posted.length > 0));
      await wait(100);
      end(controller, started);
      await rejectsWith(code, /./, () => loading);
      await until(() => sent.cancelled === 1 && started.every(({ ended }) => ended));
    }
  });

  test("weights do not arrive in pieces if a caller's hash has to be checked before", async () => {
    const integrity = { [weights]: "0".repeat(64) };
    const { fetch } = server(files, { [weights]: [{ bytes: wrongHeader(files.get(weights)) }] });
    await rejectsWith("integrity", /model\.safetensors has the SHA-256 .* where integrity says 0/, () => load({ fetch }, { integrity }));
  });

  test("nor if the cache cannot return pieces, and then the first worker is used", async () => {
    const outcome = await load(server(), { cache: join(folder, "cache") });
    assertRight(outcome);
    assert.equal(outcome.started.length, 1);
    assert.ok(!isArriving(sentTo(outcome.started[0])));
  });

  test("nor if a runtime never frees a Blob in a message; then all workers share one copy", async () => {
    const outcome = await load(server(), { workers: 2 }, { leaksBlobs: true });
    assertRight(outcome);
    const [first, second, ...others] = outcome.started.map(sentTo);
    assert.ok(first instanceof SharedArrayBuffer);
    assert.ok(first === second);
    assert.equal(others.length, 0);
  });

  test("nor if the Hub's list and the response differ about the length", async () => {
    const source = "some-org/large";
    for (const difference of [0, 1]) {
      const size = files.get(weights).length + difference;
      const siblings = [...files.keys()].map((rfilename) => ({
        rfilename,
        ...(rfilename === weights && { lfs: { sha256: createHash("sha256").update(files.get(weights)).digest("hex"), size } }),
      }));
      let started;
      const arriving = { source: afterWorkers(1, () => started) };
      const { fetch } = server(files, difference === 0 ? { [weights]: [arriving] } : {});
      const listing = async (url, init) =>
        new URL(url).pathname.startsWith("/api/models/") ? Response.json({ id: source, siblings }) : fetch(url, init);
      const onStarted = (all) => (started = all);
      const outcome = await load({ fetch: listing }, { source, baseUrl: "https://hub.example", cache: false, onStarted });
      assertRight(outcome);
      assert.equal(isArriving(sentTo(outcome.started[0])), difference === 0);
    }
  });
});
