import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { listen } from "../support/servers/listen.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const file = new URL("assets/ranklet_bg.wasm", dist);
const { url } = checkpoint((labels) => labels === 1);
const load = (wasm, options) => Reranker.load(url, { workers: 0, wasm, ...options });

/** Loads with each form of the option and releases the rerankers. */
async function loads(forms) {
  for (const wasm of forms) (await load(wasm)).dispose();
}

describe("the option wasm", () => {
  let server;
  let base;
  before(async () => {
    server = await listen((request, response) => {
      const type = request.url.includes("typed") ? "application/wasm" : "application/octet-stream";
      if (request.url.includes("none")) response.writeHead(404).end();
      else if (request.url.includes("page")) response.setHeader("content-type", "text/html").end("<h1>page</h1>");
      else response.setHeader("content-type", type).end(readFileSync(file));
    });
    base = `${server.url}/`;
  });
  after(() => server.stop());

  test("the engine may be bytes, a compiled module, a response, a URL and a path", async () => {
    const bytes = readFileSync(file);
    await loads([bytes, new Uint8Array(bytes), new Uint8Array(bytes).buffer, new WebAssembly.Module(bytes)]);
    await loads([new Response(bytes), new Response(bytes, { headers: { "content-type": "application/wasm" } })]);
    await loads([file, file.href, fileURLToPath(file), `${base}typed.wasm`, new URL("plain.wasm", base)]);
    await loads([new URL(`data:application/wasm;base64,${bytes.toString("base64")}`)]);
  });

  test("the option fetch answers the request for the engine too", async () => {
    const asked = [];
    const answer = (requested) => {
      asked.push(requested.href);
      return Promise.resolve(new Response(readFileSync(file)));
    };
    for (const fetch of [answer, { fetch: answer }]) (await load(`https://engine.example/${asked.length}.wasm`, { fetch })).dispose();
    assert.deepEqual(asked, ["https://engine.example/0.wasm", "https://engine.example/1.wasm"]);
  });

  test("the error for an engine that is missing says where it was looked for", async () => {
    await rejectsWith("unsupported", /the engine is missing: there is no file:.*nowhere\.wasm; if this is a bundle/, () =>
      load("./nowhere.wasm"),
    );
    await rejectsWith("network", /the engine is missing: .*none\.wasm answered 404/, () => load(`${base}none.wasm`));
    await rejectsWith("network", /the engine is missing: .*page\.wasm answered a page of HTML/, () => load(`${base}page.wasm`));
  });

  test("bytes that are no engine are refused", async () => {
    await rejectsWith("unsupported", /the engine cannot be compiled/, () => load(new Uint8Array(8)));
  });

  for (const wasm of [7, true, null, {}, [], "", "ranklet_bg.wasm", "ftp://a/b"]) {
    test(`load refuses wasm: ${JSON.stringify(wasm)} as an input error`, () => rejectsWith("input", /load: wasm/, () => load(wasm)));
  }

  for (const fetch of [7, {}, "fetch", { fetch: 7 }]) {
    test(`load refuses fetch: ${JSON.stringify(fetch)} as an input error`, () =>
      rejectsWith("input", /load: fetch must be a function/, () => load(undefined, { fetch })));
  }

  test("the files of a model may be responses, streams, and strings that are URLs or paths", async () => {
    const read = (name) => readFileSync(new URL(name, url));
    const path = (name) => fileURLToPath(new URL(name, url));
    const forms = [(name) => new Response(read(name)), (name) => new Blob([read(name)]).stream(), path, (name) => new URL(name, url).href];
    for (const form of forms) {
      const files = Object.fromEntries(["config.json", "tokenizer.json", "model.safetensors"].map((name) => [name, form(name)]));
      (await Reranker.load(files, { workers: 0 })).dispose();
    }
  });

  test("a response that a server has refused is no file, neither of a model nor of the engine", async () => {
    const refused = (status) => new Response(JSON.stringify({ error: "Entry not found" }), { status, statusText: "Not Found" });
    const files = Object.fromEntries(["config.json", "tokenizer.json", "model.safetensors"].map((name) => [name, new URL(name, url)]));
    // The last is optional.
    for (const name of [...Object.keys(files), "config_sentence_transformers.json"]) {
      const loading = () => Reranker.load({ ...files, [name]: refused(404) }, { workers: 0 });
      await rejectsWith("network", new RegExp(`^${name.replaceAll(".", "\\.")} cannot be read: its response is 404 Not Found$`), loading);
    }
    await rejectsWith("network", /^the engine cannot be read: its response is 404 Not Found$/, () => load(refused(404)));
  });
});
