// Fuzzes the worker protocol with arbitrary messages, and with real ones in which a part is replaced. RANKLET_FUZZ_SECONDS is
// the time for each side (`./build.sh test --long` sets it).
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { setImmediate as nextTask } from "node:timers/promises";

import fc from "fast-check";

import { dist } from "../support/paths.js";
import { engineModule, modelFiles } from "../support/pool.js";

const { ThreadEngine } = await import(new URL("engine/thread-engine.js", dist));
const { Host } = await import(new URL("worker/host.js", dist));
const { WorkerConnection } = await import(new URL("worker/worker-connection.js", dist));
const { parseReply } = await import(new URL("worker/guards/replies.js", dist));
const { parseRequest } = await import(new URL("worker/guards/requests.js", dist));
const { errorCodes } = await import(new URL("errors.js", dist));

const seconds = Number(process.env.RANKLET_FUZZ_SECONDS ?? 5);

/** Values that a structured clone can hold, and some that it cannot. */
const anything = fc.anything({
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  withSparseArray: true,
  withBigInt: true,
});
const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "\0", "\ud800", "[SEP]", "word ".repeat(500)));
const texts = fc.array(text, { maxLength: 4 });
const call = fc.nat({ max: 5 });
const collection = fc.nat({ max: 3 });
const limit = fc.option(fc.nat({ max: 600 }), { nil: undefined });

const limits = fc.record({ maxTokensPerDocument: limit, longDocuments: fc.constantFrom("truncate", "chunk") });

const span = fc.option(fc.record({ start: fc.nat({ max: 50 }), end: fc.nat({ max: 50 }) }), { nil: undefined });
const pair = fc.record({
  query: text,
  document: text,
  unit: fc.constantFrom("word", "sentence"),
  of: fc.constantFrom("query", "document", "both"),
  samples: fc.nat({ max: 3 }),
  longDocuments: fc.constantFrom("truncate", "chunk"),
  chunk: span,
});

const job = fc.oneof(
  fc.record({ kind: fc.constant("query"), query: text, documents: texts, limits }),
  fc.record({ kind: fc.constant("pairs"), queries: texts, documents: texts }),
  fc.record({
    kind: fc.constant("prepared"),
    query: text,
    collection,
    candidates: fc.option(fc.uint32Array({ max: 6, maxLength: 4 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant("variants"), pair, variants: fc.uint32Array({ max: 6, maxLength: 4 }) }),
);
const splitPoints = fc.array(fc.nat({ max: 9 }), { maxLength: 3 });
const pipelinePlan = fc.record({ split: fc.constant("layers"), splitPoints, unpooledRows: fc.nat(), bytes: fc.nat() });
const plan = fc.oneof(fc.record({ split: fc.constant("copies"), workers: fc.nat({ max: 9 }) }), pipelinePlan);
const split = fc.oneof(plan, fc.record({ mode: fc.constantFrom("auto", "layers"), workers: fc.nat({ max: 9 }) }));
const request = fc.oneof(
  fc.record({ type: fc.constant("score"), call, job, scores: fc.constantFrom("model", "raw", "sigmoid") }),
  fc.record({ type: fc.constant("prepare"), call, collection, input: fc.record({ documents: texts, limits }) }),
  fc.record({ type: fc.constant("plan"), call, pair }),
  fc.record({ type: fc.constant("sentences"), call, query: text, input: fc.record({ documents: texts, limits }) }),
  fc.record({ type: fc.constant("release"), collection }),
  fc.record({ type: fc.constant("cancel"), call }),
  fc.record({
    type: fc.constant("load"),
    call,
    module: anything,
    files: fc.constant(new Map()),
    settings: anything,
    split: fc.option(split, { nil: undefined }),
  }),
  fc.record({
    type: fc.constant("load-stage"),
    call,
    module: anything,
    files: fc.constant(new Map()),
    settings: anything,
    stage: fc.record({ number: fc.nat(), plan: pipelinePlan }),
  }),
  fc.record({ type: fc.constant("verify"), call }),
  fc.record({ type: fc.constant("run"), call, hiddenStates: fc.float32Array({ maxLength: 8 }), offsets: fc.uint32Array({ maxLength: 4 }) }),
  fc.record({ type: fc.constant("logits"), batch: fc.nat({ max: 3 }), values: fc.float32Array({ maxLength: 4 }), ms: fc.double() }),
);
const spans = fc.option(fc.uint32Array({ maxLength: 8 }), { nil: undefined });
const partial = fc.record({ scores: fc.float32Array({ maxLength: 4 }), spans, tokens: fc.nat(), engineMs: fc.double() });
const item = fc.option(fc.record({ kind: fc.constantFrom("document", "pair"), start: fc.nat({ max: 3 }), end: fc.nat({ max: 5 }) }), {
  nil: undefined,
});
const reply = fc.oneof(
  fc.record({ type: fc.constant("ready") }),
  fc.record({ type: fc.constant("loaded"), call, info: anything }),
  fc.record({ type: fc.constant("partial"), call, partial }),
  fc.record({ type: fc.constant("done"), call }),
  fc.record({
    type: fc.constant("planned"),
    call,
    plan: fc.record({ variants: fc.nat(), chunks: fc.nat(), units: fc.uint32Array(), terms: fc.uint32Array() }),
  }),
  fc.record({ type: fc.constant("divided"), call, sentences: fc.array(fc.uint32Array()) }),
  fc.record({ type: fc.constant("split"), plan }),
  fc.record({
    type: fc.constant("batch"),
    batch: fc.nat({ max: 3 }),
    hiddenStates: fc.float32Array({ maxLength: 8 }),
    offsets: fc.uint32Array({ maxLength: 4 }),
  }),
  fc.record({ type: fc.constant("dropped"), batch: fc.nat({ max: 3 }) }),
  fc.record({ type: fc.constant("ran"), call, values: fc.float32Array({ maxLength: 4 }), ms: fc.double() }),
  fc.record({
    type: fc.constant("failed"),
    call: fc.option(call, { nil: undefined }),
    code: fc.constantFrom(...errorCodes),
    message: text,
    item,
    fatal: fc.boolean(),
  }),
);

/** A real message, one in which a part at any depth is replaced, or an arbitrary value. */
function damaged(message) {
  return fc.oneof(
    message,
    fc
      .tuple(message, fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), anything)
      .map(([whole, path, other]) => replaced(whole, path, other)),
    anything,
  );
}

function replaced(whole, [step, ...rest], other) {
  if (typeof whole !== "object" || whole === null || ArrayBuffer.isView(whole) || whole instanceof Map) return other;
  const names = Object.keys(whole);
  if (names.length === 0) return other;
  const name = names[step % names.length];
  const copy = Array.isArray(whole) ? [...whole] : { ...whole };
  copy[name] = rest.length === 0 ? other : replaced(copy[name], rest, other);
  return copy;
}

const parameters = { numRuns: Number.POSITIVE_INFINITY, interruptAfterTimeLimit: seconds * 1000, endOnFailure: true };

async function holds(t, property) {
  const details = await fc.check(property, parameters);
  t.diagnostic(`${details.numRuns} runs, seed ${details.seed}`);
  assert.ok(!details.failed, fc.defaultReportMessage(details));
  assert.ok(details.numRuns > 100, "enough runs");
}

describe("a message is refused with", () => {
  const explained = { query: "q", document: "d", unit: "word", of: "document", samples: 0, longDocuments: "chunk" };
  const info = { numLabels: 1, maxLength: 512, backend: { device: "cpu", workers: 0 } };
  const { port1: port } = new MessageChannel();
  const load = (name, size, weights) => ({
    type: "load",
    call: 1,
    module: undefined,
    files: new Map([[name, { size, port }]]),
    settings: { device: "cpu", dtype: "auto", weights },
  });
  const requests = {
    "a file of fewer than 0 bytes": load("model.safetensors", -1),
    "a configuration that is being downloaded": load("config.json", 5),
    "an index of chosen weights that is being downloaded": load("model.safetensors.index.json", 5, "model.safetensors.index.json"),
    "a chunk without a start": { type: "plan", call: 1, pair: { ...explained, chunk: { end: 3 } } },
    "long documents of no known kind": { type: "plan", call: 1, pair: { ...explained, longDocuments: "cut" } },
    "no number of samples": { type: "plan", call: 1, pair: { ...explained, samples: undefined } },
    "a hole in the split points": {
      type: "load-stage",
      call: 1,
      module: undefined,
      files: new Map(),
      settings: { device: "cpu", dtype: "auto" },
      stage: { number: 1, plan: { split: "layers", splitPoints: Object.assign(new Array(2), { 1: 2 }), unpooledRows: 1, bytes: 1 } },
    },
    "a limit above 32 bits": {
      type: "sentences",
      call: 1,
      query: "q",
      input: { documents: [], limits: { maxTokensPerDocument: 2 ** 32, longDocuments: "truncate" } },
    },
  };
  for (const [fault, message] of Object.entries(requests)) test(fault, () => assert.match(parseRequest(message), /^a field of /));

  const replies = {
    "a model without labels": { ...info, numLabels: 0 },
    "a model without a maximum length": { ...info, maxLength: undefined },
    "a model without a device": { ...info, backend: { workers: 0 } },
    "a model with half a worker": { ...info, backend: { device: "cpu", workers: 0.5 } },
  };
  for (const [fault, model] of Object.entries(replies))
    test(fault, () => assert.match(parseReply({ type: "loaded", call: 1, info: model }), /^a field of /));

  test("nothing of these, and is accepted", () => {
    const pair = { ...explained, chunk: { start: 0, end: 3 } };
    assert.deepEqual(parseRequest({ type: "plan", call: 1, pair }), { type: "plan", call: 1, pair });
    for (const arriving of [load("model.safetensors", 5), load("chosen.weights", 5, "chosen.weights")])
      assert.equal(parseRequest(arriving), arriving);
    assert.deepEqual(parseReply({ type: "loaded", call: 1, info }), { type: "loaded", call: 1, info });
  });
});

describe("the worker protocol", () => {
  let loading;
  before(async () => {
    loading = { type: "load", call: 1_000, module: await engineModule(), files: modelFiles(), settings: { device: "cpu", dtype: "auto" } };
  });

  test("a worker survives any message, answers every call once, and continues to score", async (t) => {
    const replies = [];
    const host = new Host({ post: (message) => replies.push(message) }, new ThreadEngine(() => nextTask()));
    const answer = async (message) => {
      host.receive(message);
      const settled = () => replies.find(({ type, call }) => call === message.call && type !== "partial");
      while (settled() === undefined) await nextTask();
      return settled();
    };
    assert.equal((await answer(loading)).type, "loaded");
    const probe = {
      type: "score",
      call: 1_001,
      job: {
        kind: "query",
        query: "a river",
        documents: ["a city"],
        limits: { maxTokensPerDocument: undefined, longDocuments: "truncate" },
      },
      scores: "raw",
    };
    await answer(probe);
    const expected = replies.find(({ type }) => type === "partial").partial.scores;

    await holds(
      t,
      fc.asyncProperty(fc.array(damaged(request), { maxLength: 5 }), async (messages) => {
        replies.length = 0;
        for (const message of messages) host.receive(message);
        assert.equal((await answer(probe)).type, "done");
        assert.deepEqual(replies.find(({ type, call }) => type === "partial" && call === 1_001).partial.scores, expected);
        // One answer per message, except for messages that have none.
        const answers = messages.filter((message) => !["release", "cancel", "logits"].includes(parseRequest(message).type)).length + 1;
        const given = () => replies.filter(({ type }) => type !== "partial").length;
        for (const end = Date.now() + 60_000; given() < answers && Date.now() < end; ) await nextTask();
        assert.equal(given(), answers);
        for (const { type, code, fatal } of replies) {
          if (type === "failed") assert.ok(errorCodes.includes(code) && code !== "internal" && !fatal, code);
        }
      }),
    );
  });

  test("the page's side of a worker settles every call with a value or a typed error, whatever messages arrive", async (t) => {
    await holds(
      t,
      fc.asyncProperty(fc.array(damaged(reply), { maxLength: 6 }), async (messages) => {
        let deliver;
        let ended = 0;
        const port = { post() {}, listen: (onMessage) => (deliver = onMessage), keepAlive() {}, terminate: () => ended++ };
        const connection = new WorkerConnection(port);
        const partials = [];
        const calls = [1, 2].map((id) =>
          connection.call((call) => ({ type: "cancel", call, id }), { onPartial: (partial) => partials.push(partial) }),
        );
        for (const message of messages) deliver(message);
        connection.close(Object.assign(new Error("closed"), { code: "disposed" }));
        for (const result of await Promise.allSettled(calls)) {
          if (result.status === "rejected") assert.ok(errorCodes.includes(result.reason.code), String(result.reason));
        }
        for (const { scores, tokens } of partials) assert.ok(scores instanceof Float32Array && Number.isSafeInteger(tokens));
        assert.equal(ended, 1);
      }),
    );
  });
});
