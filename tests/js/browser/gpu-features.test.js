// Optional features of WebGPU in Chromium, on a software adapter: kernels with them against kernels without, and the memory of
// what was chosen. SwiftShader has subgroups and packed dot products, but no f16; the tests in Rust run f16 on lavapipe.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { assertClose } from "../support/assert.js";
import { launchChromiumWithGpu } from "../support/browsers/chromium.js";
import { checkpoints } from "../support/models/fixtures.js";
import { sendFixture, startSite } from "../support/servers/package-site.js";

const expected = checkpoints().find(({ name }) => name === "bert-gelu-h36").expected;
const pairs = expected.pairs.slice(0, 4);
const options = { device: "webgpu", dtype: "q8", workers: 0 };

describe("optional features of WebGPU in Chromium", () => {
  let site;
  let browser;
  let context;
  before(async () => {
    site = await startSite({ "/fixtures/": sendFixture });
    browser = await launchChromiumWithGpu();
    context = await browser.newContext();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** Runs a task in a new page. All pages have the same caches. */
  async function inPage(task, argument) {
    const page = await context.newPage();
    try {
      await page.goto(site.url);
      return await page.evaluate(task, argument);
    } finally {
      await page.close();
    }
  }

  test("SwiftShader has the features that these tests need", async () => {
    const found = await inPage(async () => ({
      subgroups: (await navigator.gpu.requestAdapter()).features.has("subgroups"),
      packed: navigator.gpu.wgslLanguageFeatures.has("packed_4x8_integer_dot_product"),
    }));
    assert.deepEqual(found, { subgroups: true, packed: true });
  });

  test("later pages use the kernels that are kept, and those with a feature agree with those without", async (t) => {
    const first = await inPage(score, { options, pairs });
    assert.match(first.kernels, /^(f32|i8) products, tile \d+x\d+x\d+x\d+/);
    assert.deepEqual(first.caches, ["ranklet-kernels-v1"]);
    const withKernels = async (kernels) => {
      const later = await inPage(score, { options, pairs, kernels });
      assert.equal(later.kernels, kernels);
      assert.ok(later.pipelines < first.pipelines, `${later.pipelines} pipelines, ${first.pipelines} with those that were timed`);
      return later.logits;
    };
    const plain = await withKernels("f32 products, tile 8x8x8x4");
    const largest = Math.max(1, ...plain.map(Math.abs));
    for (const [kernels, tolerance] of [
      ["f32 products, tile 8x8x8x4, subgroups", 1e-5],
      // Packed products round activations.
      ["i8 products, tile 8x8x8x4, subgroups", 0.1],
    ]) {
      const logits = await withKernels(kernels);
      const difference = Math.max(...logits.map((logit, index) => Math.abs(logit - plain[index]))) / largest;
      t.diagnostic(`${kernels}: ${difference.toExponential(1)} of the largest logit`);
      assertClose(logits, plain, tolerance * largest, kernels);
    }
  });

  test("a driver that rejects kernels with features computes without them; with cache: false, no choice is kept", async () => {
    const rejecting = await browser.newContext();
    const page = await rejecting.newPage();
    await page.goto(site.url);
    await page.evaluate(rejectFeatures);
    const { kernels, caches, logits } = await page.evaluate(score, { options: { ...options, cache: false }, pairs });
    await rejecting.close();
    assert.match(kernels, /^f32 products, tile \d+x\d+x\d+x\d+$/);
    assert.deepEqual(caches, []);
    assert.equal(logits.length, pairs.length);
  });
});

/** Runs in the page: makes every shader that uses an optional feature invalid. */
function rejectFeatures() {
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const usesFeature = /enable subgroups|dot4I8Packed/.test(descriptor.code);
    return createShaderModule.call(this, usesFeature ? { ...descriptor, code: "invalid" } : descriptor);
  };
}

/**
 * Runs in the page: loads a model and scores pairs.
 * @param kernels replaces the kernels that an earlier page stored in the cache
 */
async function score({ options, pairs, kernels }) {
  if (kernels !== undefined) {
    const cache = await caches.open("ranklet-kernels-v1");
    const [request] = await cache.keys();
    const choices = await (await cache.match(request)).text();
    await cache.put(request, new Response(choices.replaceAll(/\t.*/g, `\t${kernels}`)));
  }
  let pipelines = 0;
  const { createComputePipeline } = GPUDevice.prototype;
  GPUDevice.prototype.createComputePipeline = function (descriptor) {
    pipelines++;
    return createComputePipeline.call(this, descriptor);
  };
  const { Reranker } = await import("/pkg/index.js");
  const reranker = await Reranker.load(new URL("fixtures/bert-gelu-h36/", location.href), options);
  const logits = Array.from(await reranker.score(pairs, { scores: "raw" }));
  const { kernels: chosen } = reranker.info.backend;
  reranker.dispose();
  return { kernels: chosen, logits, pipelines, caches: await caches.keys() };
}
