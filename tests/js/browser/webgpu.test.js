// WebGPU in Chromium, on a software adapter: the same scores, and what happens when it fails.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { assertClose } from "../support/assert.js";
import { launchChromiumWithGpu } from "../support/browsers/chromium.js";
import { checkpoints, family, seed } from "../support/models/fixtures.js";
import { root } from "../support/paths.js";
import { sendFixture, startSite } from "../support/servers/package-site.js";

const families = ["electra-projected-h40", "xlm-roberta-plain-h44", "modernbert-cls-h48", "deberta-v3-h48", "chain-cls-h40"];
const small = { path: "bert-gelu-h36", ...checkpoints().find(({ name }) => name === "bert-gelu-h36") };
const models = [small, ...families.map((name) => ({ path: `families/${name}`, ...family(name) }))];

describe("WebGPU in Chromium", () => {
  let site;
  let browser;
  let page;
  before(async () => {
    site = await startSite({ "/fixtures/": sendFixture });
    browser = await launchChromiumWithGpu();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** Opens a page with the package that records GPU devices and counts what they create. */
  async function open() {
    page = await browser.newPage();
    await page.goto(site.url);
    await page.evaluate(prepare);
    return page;
  }

  test("Chromium has a WebGPU adapter in these tests", async () => {
    await open();
    assert.equal(await page.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null), true, "Chromium has no WebGPU adapter");
  });

  for (const { path, expected } of models) {
    for (const [dtype, tolerance] of [
      ["f32", 1e-4],
      ["f16", 2e-2 * Math.max(...expected.logits.flat().map(Math.abs))],
    ]) {
      test(`${path} in ${dtype} has the logits of the reference on WebGPU`, async (t) => {
        await open();
        const { backend, logits } = await page.evaluate(score, {
          url: `fixtures/${path}/`,
          options: { device: "webgpu", dtype, workers: 0 },
          pairs: expected.pairs,
        });
        assert.equal(backend.device, "webgpu");
        assert.equal(backend.engine, "webgpu");
        assert.ok(backend.verification.pairs.length > 0);
        t.diagnostic(`${backend.adapter}: ${backend.reason}`);
        assertClose(logits, expected.logits.flat(), tolerance, "logits");
      });
    }
  }

  test("the default model's q8 weights give its logits on WebGPU, in a worker", async () => {
    await open();
    const { query, documents, logits } = seed();
    const pairs = documents.slice(0, 4).map((document) => [query, document]);
    const scored = await page.evaluate(score, { options: { device: "webgpu" }, pairs });
    const isPacked = scored.backend.kernels.startsWith("i8");
    assert.equal(scored.backend.device, "webgpu");
    assert.equal(scored.backend.workers, 1);
    // Packed products round activations.
    assertClose(scored.logits, logits.slice(0, 4), isPacked ? 0.1 : 1e-4, "logits");
  });

  test("the device auto does not measure a software GPU", async () => {
    await open();
    const { backend } = await page.evaluate(score, { options: { workers: 2 }, pairs: [["a", "b"]] });
    assert.match(backend.reason, /is a program on the CPU/);
    assert.equal(backend.device, "cpu");
    assert.equal(backend.workers, 2);
  });

  test("the device auto selects the faster device and reports both speeds", async () => {
    await open();
    await page.evaluate(pretendHardware);
    const { backend } = await page.evaluate(score, { options: { workers: 0 }, pairs: [["a", "b"]] });
    assert.match(backend.reason, /^\d+ documents per second on the GPU, \d+ on the CPU$/);
    assert.equal(backend.device, "cpu", "a software GPU is slower");
    assert.ok(backend.verification.pairs.length > 0);
  });

  test("if a GPU that auto selected is lost during a call, all results are complete and have the CPU's scores", async () => {
    await open();
    await page.evaluate(pretendHardware);
    const seen = await page.evaluate(loseInTheMiddle, { url: "fixtures/bert-gelu-h36/", options: { workers: 0, dtype: "f32" } });
    assert.equal(seen.before.device, "webgpu");
    assert.equal(seen.lost, true);
    assert.equal(seen.after.device, "cpu");
    assert.match(seen.after.reason, /GPU/);
    assert.deepEqual(seen.scores, seen.expected);
    assert.deepEqual(seen.again, seen.expected);
    assert.deepEqual(seen.streamed, seen.expected);
  });

  test("with the device webgpu, losing the GPU is an error, and the model can be loaded again", async () => {
    await open();
    const seen = await page.evaluate(async (url) => {
      const { Reranker } = await import("/pkg/index.js");
      const options = { device: "webgpu", workers: 0 };
      const [lost, other] = [
        await Reranker.load(new URL(url, location.href), options),
        await Reranker.load(new URL(url, location.href), options),
      ];
      globalThis.devices[0].destroy();
      const codes = [];
      for (let call = 0; call < 2; call++)
        codes.push(
          await lost.rank("a", ["b"]).then(
            () => "none",
            ({ code }) => code,
          ),
        );
      const [{ score }] = await other.rank("a", ["b"]);
      const [again] = await (await Reranker.load(new URL(url, location.href), options)).rank("a", ["b"]);
      return { codes, score, again: again.score };
    }, "fixtures/bert-gelu-h36/");
    assert.deepEqual(seen.codes, ["device-lost", "device-lost"]);
    assert.equal(seen.again, seen.score);
  });

  test("a micro-batch takes one command buffer and one read-back, and no pipeline is created after loading", async () => {
    await open();
    const seen = await page.evaluate(async (url) => {
      const { Reranker } = await import("/pkg/index.js");
      const reranker = await Reranker.load(new URL(url, location.href), { device: "webgpu", workers: 0 });
      const before = { ...globalThis.counts };
      await reranker.rank("one", ["two", "three"]);
      await reranker.rank(
        "one",
        Array.from({ length: 40 }, (_, at) => `document ${at}`),
      );
      const after = { ...globalThis.counts };
      return Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
    }, "fixtures/bert-gelu-h36/");
    assert.deepEqual(seen, { pipelines: 0, commandBuffers: 2, readBacks: 2 });
  });

  // A hundred rounds in the long tests only: compiling the shaders takes one or two seconds per round.
  const rounds = process.env.RANKLET_FUZZ_SECONDS === undefined ? 5 : 100;
  test(`after loading and disposing ${rounds} times, no GPU memory is allocated`, { timeout: rounds * 100_000 }, async (t) => {
    await open();
    const seen = await page.evaluate(
      async ({ url, rounds }) => {
        // The separate modules, which share their engine with this function.
        const { rerankerOn } = await import("/pkg/api/reranker-on.js");
        const { browser } = await import("/pkg/platform/browser.js");
        const { gpu_bytes } = await import("/pkg/wasm/ranklet.js");
        const Reranker = rerankerOn(browser);
        let max = 0;
        let left = 0;
        for (let round = 0; round < rounds; round++) {
          const reranker = await Reranker.load(new URL(url, location.href), { device: "webgpu", workers: 0 });
          max = Math.max(max, gpu_bytes());
          reranker.dispose();
          left = Math.max(left, gpu_bytes());
        }
        return { max, left };
      },
      { url: "fixtures/bert-gelu-h36/", rounds },
    );
    t.diagnostic(`${seen.max} bytes at most`);
    assert.ok(seen.max > 10_000);
    assert.equal(seen.left, 0);
  });
});

test("without WebGPU, the device webgpu and the dtype f16 are refused with advice", async () => {
  const { Reranker } = await import(new URL("pkg/dist/index.node.js", root));
  await assert.rejects(Reranker.load(undefined, { device: "webgpu" }), {
    code: "unsupported",
    message: /this runtime has no WebGPU .* use "auto" or "cpu"/,
  });
  await assert.rejects(Reranker.load(undefined, { dtype: "f16", workers: 0 }), { code: "unsupported", message: /f16 needs a GPU/ });
});

/** Runs in the page: records devices and counts what they create. */
function prepare() {
  globalThis.devices = [];
  globalThis.counts = { pipelines: 0, commandBuffers: 0, readBacks: 0 };
  const watch = (prototype, name, onCall) => {
    const method = prototype[name];
    prototype[name] = function (...given) {
      const result = method.apply(this, given);
      onCall(result, given);
      return result;
    };
  };
  watch(GPUAdapter.prototype, "requestDevice", (device) => device.then((made) => globalThis.devices.push(made)));
  watch(GPUDevice.prototype, "createComputePipeline", () => globalThis.counts.pipelines++);
  watch(GPUQueue.prototype, "submit", (_, [buffers]) => (globalThis.counts.commandBuffers += [...buffers].length));
  watch(GPUBuffer.prototype, "mapAsync", () => globalThis.counts.readBacks++);
}

/** Runs in the page: makes the software adapter look like hardware. */
function pretendHardware() {
  Object.defineProperty(GPUAdapterInfo.prototype, "isFallbackAdapter", { get: () => false });
}

/** Runs in the page: loads a model and scores pairs. */
async function score({ url, options, pairs }) {
  const { Reranker } = await import("/pkg/index.js");
  const reranker = await Reranker.load(url === undefined ? undefined : new URL(url, location.href), options);
  const logits = Array.from(await reranker.score(pairs, { scores: "raw" }));
  const { backend } = reranker.info;
  reranker.dispose();
  return { backend: JSON.parse(JSON.stringify(backend)), logits };
}

/** Runs in the page: lets the GPU win the measurement of `auto`, then destroys it during a call. */
async function loseInTheMiddle({ url, options }) {
  const { Reranker } = await import("/pkg/index.js");
  const model = new URL(url, location.href);
  const documents = Array.from({ length: 600 }, (_, at) => `document ${at} of ${at * at}`);
  const cpu = await Reranker.load(model, { ...options, device: "cpu" });
  const expected = Array.from(await cpu.score(documents.map((document) => ["a query", document])));
  // A clock that gets slower and slower, so that the GPU, which is measured second, looks faster.
  const { now } = Performance.prototype;
  let [time, pace] = [0, 1000];
  performance.now = () => (time += pace *= 0.9);
  const reranker = await Reranker.load(model, options);
  delete performance.now;
  if (performance.now !== now) throw new Error("the clock is still wrong");
  const before = { ...reranker.info.backend };
  let lost = false;
  const lose = () => {
    if (!lost) globalThis.devices.at(-1).destroy();
    lost = true;
  };
  const scores = Array.from(
    await reranker.score(
      documents.map((document) => ["a query", document]),
      { onProgress: lose },
    ),
  );
  const after = { device: reranker.info.backend.device, reason: reranker.info.backend.reason };
  const again = Array.from(await reranker.score(documents.map((document) => ["a query", document])));
  const streamed = new Array(documents.length);
  for await (const { results } of reranker.stream({ query: "a query", documents }))
    for (const { index, score } of results) streamed[index] = score;
  return { before: { device: before.device }, lost, after, scores, expected, again, streamed };
}
