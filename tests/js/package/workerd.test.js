import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { inspectIsolate } from "../support/children/isolate.js";
import { startWorker } from "../support/children/workerd.js";
import { installPacked } from "../support/package/packed.js";
import { serveFolder } from "../support/servers/folder.js";
import { freePort } from "../support/servers/free-port.js";
import { until } from "../support/until.js";

const question = "What is the capital of France?";
const documents = ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."];

/** The limit of Cloudflare Workers for an isolate. */
const maxIsolateBytes = 128 * 1024 * 1024;

describe("the packed package in workerd, with the model outside the Worker", () => {
  let project;
  let assets;
  before(() => {
    project = installPacked();
    assets = join(project.folder, "node_modules/ranklet/dist/assets");
  });
  after(() => project.remove());

  function start(body, head, options) {
    return startWorker(
      project.folder,
      ({ ranklet }) => `
import { Reranker } from "${ranklet}";
const rank = async (reranker) => (await reranker.rank(${JSON.stringify(question)}, ${JSON.stringify(documents)}))[0].corpus_id;
const failure = ({ name, code, message }) => ({ name, code, message });
${head}
export default { async fetch(request, env) { return Response.json(await (async () => {${body}})()); } };
`,
      options,
    );
  }

  /** Runs a Worker whose requests evaluate `body`, an async function's body with `env` and `request`, and returns its answer as JSON. */
  async function answer(body, { head = "", ...options } = {}) {
    const worker = await start(body, head, options);
    try {
      const json = await jsonFrom(worker);
      assert.equal(worker.errors(), "");
      return json;
    } finally {
      await worker.stop();
    }
  }

  test("the model loads from static assets, by a path or a URL, with the binding or a function", async () => {
    const body = `
      const loads = [["/default/", env.ASSETS], ["https://any.example/default", env.ASSETS], [new URL("/default/", request.url), (url, init) => env.ASSETS.fetch(url, init)]];
      const ranked = [];
      for (const [model, fetch] of loads) {
        const reranker = await Reranker.load(model, { fetch });
        ranked.push(await rank(reranker));
        reranker.dispose();
      }
      return ranked;`;
    assert.deepEqual(await answer(body, { assets }), [1, 1, 1]);
  });

  test("the model loads from a store that a function reads, as from R2", async () => {
    const body = `
      const bucket = { get: async (key) => ((r) => (r.ok ? r : null))(await env.ASSETS.fetch("https://store/default/" + key)) };
      const read = async ({ pathname }) => {
        const object = await bucket.get(pathname.split("/").at(-1));
        return new Response(object?.body, { status: object === null ? 404 : 200 });
      };
      const files = {};
      for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "config_sentence_transformers.json"]) files[name] = await bucket.get(name);
      files["model.safetensors"] = (await bucket.get("model.safetensors")).body;
      return [await rank(await Reranker.load("/default/", { fetch: read })), await rank(await Reranker.load(files))];`;
    assert.deepEqual(await answer(body, { assets }), [1, 1]);
  });

  test("the model loads from the URL of a folder", async () => {
    const server = await serveFolder(assets, {});
    try {
      assert.equal(await answer(`return rank(await Reranker.load("${server.url}default/"));`), 1);
    } finally {
      await server.stop();
    }
  });

  test("load without a model names static assets, the import and wrangler's rule", async () => {
    const { name, code, message } = await answer("return Reranker.load().catch(failure);");
    assert.deepEqual([name, code], ["RankletError", "unsupported"]);
    assert.match(message, /Reranker\.load\("\/default\/", \{ fetch: env\.ASSETS \}\)/);
    assert.match(message, /import "ranklet\/default-model"/);
    assert.match(message, /"type": "Data", "globs": \["\*\*\/\*\.safetensors"\]/);
  });

  test("load at module scope says where to write it", async () => {
    const { name, code, message } = await answer("return refused;", {
      head: 'const refused = await Reranker.load("https://models.example/a/").catch(failure);',
    });
    assert.deepEqual([name, code], ["RankletError", "unsupported"]);
    assert.match(message, /only while it handles a request .*Reranker\.load\(…\)/);
  });

  test("a path without fetch, and a fetch that returns no Response, are refused", async () => {
    const path = await answer('return Reranker.load("/default/").catch(failure);');
    assert.equal(path.code, "unsupported");
    assert.match(path.message, /no paths to read "\/default\/" from; .*fetch/);
    const text = await answer('return Reranker.load("/default/", { fetch: () => "text" }).catch(failure);');
    assert.equal(text.code, "input");
    assert.match(text.message, /fetch must return a Response/);
  });

  test("bytes as wasm are refused, because workerd does not compile them", async () => {
    const { code, message } = await answer(
      'return Reranker.load("/default/", { fetch: env.ASSETS, wasm: new Uint8Array(8) }).catch(failure);',
      { assets },
    );
    assert.equal(code, "unsupported");
    assert.match(message, /give the option wasm a compiled WebAssembly\.Module/);
  });

  test("a client of the server that leaves does not stop the load or keep its turn, and others wait for theirs", async () => {
    const worker = await startWorker(
      project.folder,
      ({ server }) => `
import { createHandler } from "${server}";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const answer = { results: [{ index: 0, score: 0.5 }], usage: { tokens: 1 }, timings: { cacheHits: 0 } };
const reranker = { info: { numLabels: 1 }, rerank: () => wait(1500).then(() => answer) };
export default { fetch: createHandler(() => wait(1500).then(() => reranker), { maxConcurrent: 1 }) };
`,
    );
    const body = JSON.stringify({ query: "q", documents: ["a"] });
    const post = (signal) => fetch(`${worker.url}v1/rerank`, { method: "POST", body, signal }).then(({ status }) => status);
    const running = async () => /^ranklet_requests_running (\d+)$/m.exec(await (await fetch(`${worker.url}metrics`)).text())[1];
    try {
      for (const left of ["load", "score"]) {
        const controller = new AbortController();
        const first = post(controller.signal);
        await until(async () => (await running()) === "1");
        controller.abort();
        await assert.rejects(first, { name: "AbortError" }, left);
        const signal = AbortSignal.timeout(120_000);
        assert.deepEqual(await Promise.all([post(signal), post(signal)]), [200, 200], left);
      }
      assert.equal(await running(), "0");
      assert.equal(worker.errors(), "");
    } finally {
      await worker.stop();
    }
  });

  test("an isolate with the model from static assets stays within the memory limit of Workers", async (t) => {
    const inspectorPort = await freePort();
    const head = `
      let reranker, memory;
      const { Instance } = WebAssembly;
      WebAssembly.Instance = function (...given) {
        const instance = new Instance(...given);
        memory = instance.exports.memory;
        return instance;
      };`;
    const body = `
      reranker ??= await Reranker.load("/default/", { fetch: env.ASSETS });
      const many = Array.from({ length: 16 }, (_, at) => (${JSON.stringify(documents)}[at % 2] + " ").repeat(12) + at);
      await reranker.rank("q", many);
      return memory.buffer.byteLength;`;
    const worker = await start(body, head, { assets, inspectorPort });
    let isolate;
    try {
      isolate = await inspectIsolate(inspectorPort);
      for (let request = 1; request <= 2; request++) {
        const engine = await jsonFrom(worker);
        assert.ok(engine > 20e6, `${engine} bytes of WebAssembly`);
        // V8 counts WebAssembly's memory sometimes, so this is an upper bound.
        const bytes = engine + (await isolate.memory());
        t.diagnostic(
          `at most ${(bytes / 1e6).toFixed(1)} MB after request ${request}, ${(engine / 1e6).toFixed(1)} MB of them the engine's`,
        );
        assert.ok(bytes < maxIsolateBytes, `${bytes} bytes`);
      }
    } finally {
      isolate?.close();
      await worker.stop();
    }
  });
});

async function jsonFrom({ url, errors }) {
  const response = await fetch(url, { signal: AbortSignal.timeout(120_000) });
  assert.equal(response.status, 200, errors());
  return response.json();
}
