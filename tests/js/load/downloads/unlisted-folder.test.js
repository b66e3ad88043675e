// A folder on a plain server, which does not list its files: a browser reports hardly any request as failed.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { assertClose } from "../../support/assert.js";
import { launchChromium } from "../../support/browsers/chromium.js";
import { pairs, scoresFrom } from "../../support/models/hub-model.js";
import { bundlePath, sendBundle } from "../../support/package/bundled.js";
import { inRepository, root } from "../../support/paths.js";
import { filesIn } from "../../support/servers/hub.js";
import { startSite } from "../../support/servers/package-site.js";

const chain = filesIn(new URL("tests/fixtures/families/chain-cls-h40/", root));
/** As transformers 5 saves a model. */
const saved = filesIn(new URL("tests/fixtures/bert-bare-h36/", root));
const tokenizer = { ...json(saved, "tokenizer_config.json"), backend: undefined };
/** As transformers 4 did since 4.34, and before. */
const saved4 = new Map([...saved, ["tokenizer_config.json", Buffer.from(JSON.stringify({ ...tokenizer, added_tokens_decoder: {} }))]]);
const savedEarlier = new Map([...saved, ["tokenizer_config.json", Buffer.from(JSON.stringify(tokenizer))]]);

function json(files, name) {
  return JSON.parse(files.get(name));
}

/** Adds a list of its files to a model's `config.json`. */
function listed(files, names = [...files.keys()]) {
  return new Map([...files, ["config.json", Buffer.from(JSON.stringify({ ...json(files, "config.json"), ranklet: { files: names } }))]]);
}

/** Returns the files of a model that `ranklet quantize` writes. */
function quantized(model) {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-quantized-"));
  try {
    const args = ["quantize", "--model", inRepository(`tests/fixtures/${model}`), "--dtype", "q8", "--out", folder];
    execFileSync(inRepository("target/release/ranklet"), args, { stdio: ["ignore", "ignore", "pipe"], timeout: 120_000 });
    return filesIn(pathToFileURL(`${folder}/`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a folder that does not list its files, in Chromium", { timeout: 600_000 }, () => {
  let site;
  let browser;
  let files;
  before(async () => {
    site = await startSite({
      [bundlePath]: sendBundle,
      "/folder/": (request, response) => {
        const bytes = files.get(request.url.slice("/folder/".length));
        return bytes === undefined ? response.writeHead(404).end() : response.end(bytes);
      },
    });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await site?.stop();
  });

  /** Loads the folder in a new page. Returns the outcome, the files that were requested, and those that the console has errors for. */
  async function load(served) {
    files = served;
    const page = await browser.newPage();
    const failed = [];
    const requested = [];
    const nameOf = (url) => new URL(url).pathname.slice("/folder/".length);
    page.on("console", (message) => {
      if (message.type() === "error" && message.location().url.includes("/folder/")) failed.push(nameOf(message.location().url));
    });
    page.on("request", (request) => request.url().includes("/folder/") && requested.push(nameOf(request.url())));
    try {
      await page.goto(site.url);
      const outcome = await page.evaluate(async (pairs) => {
        const { Reranker } = await import("/pkg/bundled.js");
        try {
          const bytes = await Reranker.downloadSize("/folder/");
          const reranker = await Reranker.load("/folder/", { workers: 0 });
          const scores = Array.from(await reranker.score(pairs));
          reranker.dispose();
          return { bytes, scores };
        } catch ({ code, message }) {
          return { code, message };
        }
      }, pairs);
      return { ...outcome, failed: [...new Set(failed)].sort(), requested: [...new Set(requested)].sort() };
    } finally {
      await page.close();
    }
  }

  const sizeOf = (served) => [...served.values()].reduce((sum, { length }) => sum + length, 0);

  for (const [what, served, missing] of [
    ["a model that transformers 5 saved", saved, ["modules.json"]],
    ["a model that transformers 4 saved", saved4, ["modules.json"]],
    ["a model that transformers saved before 4.34", savedEarlier, ["added_tokens.json", "modules.json", "special_tokens_map.json"]],
    ["a model with modules", chain, []],
    ["a model whose config.json lists its files", listed(saved), []],
    ["a model with modules whose config.json lists its files", listed(chain), []],
    ["a model that ranklet quantize wrote", quantized("bert-bare-h36"), []],
    ["a model with modules that ranklet quantize wrote", quantized("families/chain-three-poolings-h36"), []],
  ]) {
    test(`${what} loads, with an error in the console for ${missing.join(", ") || "no file"}`, async () => {
      const { scores, failed, requested, bytes, message } = await load(served);
      assert.equal(message, undefined);
      assert.deepEqual(failed, missing);
      assert.deepEqual(requested, [...served.keys(), ...missing].sort());
      assert.equal(bytes, sizeOf(served));
      // A browser may fuse multiplications and additions in f32.
      assertClose(scores, Array.from(await scoresFrom(Object.fromEntries(served))), 2e-5, "scores");
    });
  }

  test("a list in config.json that is malformed does not count", async () => {
    for (const names of ["model.safetensors", [7]]) {
      const { scores, failed } = await load(listed(saved, names));
      assert.equal(scores.length, pairs.length);
      assert.deepEqual(failed, ["modules.json"]);
    }
  });

  test("a file that the list in config.json does not have is not requested", async () => {
    const { code, message, requested } = await load(listed(saved, ["config.json", "model.safetensors"]));
    assert.equal(code, "network", message);
    assert.match(message, /^tokenizer\.json is missing/);
    assert.ok(!requested.includes("tokenizer.json"));
  });

  test("a PEFT adapter is refused with advice", async () => {
    const adapter = new Map([...saved, ["adapter_config.json", Buffer.from("{}")]]);
    for (const missing of ["config.json", "model.safetensors"]) {
      adapter.delete(missing);
      const { code, message } = await load(adapter);
      assert.equal(code, "unsupported", message);
      assert.match(message, /^adapter_config\.json: the weights are a PEFT adapter/);
      adapter.set(missing, saved.get(missing));
    }
  });
});
