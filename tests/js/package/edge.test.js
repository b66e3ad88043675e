import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

import { EdgeRuntime } from "edge-runtime";

import { installPacked } from "../support/package/packed.js";
import { installTools, runTool } from "../support/package/tools.js";
import { serveFolder } from "../support/servers/folder.js";
import { unlessLong } from "../support/skips.js";

const esbuild = fileURLToPath(new URL("../node_modules/.bin/esbuild", import.meta.url));
const question = "What is the capital of France?";
const documents = ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."];

describe("the packed package in edge functions", () => {
  let project;
  let server;
  before(async () => {
    project = installPacked();
    server = await serveFolder(join(project.folder, "node_modules/ranklet/dist/assets"), {});
  });
  after(async () => {
    await server?.stop();
    project?.remove();
  });

  /** Bundles an edge function as Vercel and Fastly do. It loads a model with the arguments' code. */
  function bundle(condition, code) {
    const source = join(project.folder, "function.js");
    writeFileSync(
      source,
      `
import { Reranker } from "ranklet";
const assets = ${JSON.stringify(server.url)};
async function run() {
  const reranker = await Reranker.load(${code});
  return (await reranker.rank(${JSON.stringify(question)}, ${JSON.stringify(documents)}))[0].corpus_id;
}
const answer = () => run().catch(({ name, code, message }) => ({ name, code, message }));
globalThis.answer = answer;
globalThis.addEventListener?.("fetch", (event) => event.respondWith(answer().then((result) => Response.json(result))));
`,
    );
    const { status, stdout, stderr } = spawnSync(
      esbuild,
      [source, "--bundle", "--format=iife", `--conditions=${condition}`, "--log-level=error"],
      { encoding: "utf8", timeout: 60_000 },
    );
    assert.equal(status, 0, stderr);
    return stdout;
  }

  async function inEdgeRuntime(condition, code) {
    const runtime = new EdgeRuntime({ initialCode: bundle(condition, code) });
    const response = await runtime.dispatchFetch("https://function.example/");
    await response.waitUntil();
    return response.json();
  }

  const compiled = "{ wasm: await WebAssembly.compile(await (await fetch(`${assets}ranklet_bg.wasm`)).arrayBuffer()) }";

  for (const condition of ["edge-light", "browser"]) {
    test(`in Vercel's Edge Runtime it ranks with a compiled engine and a folder's URL (condition ${condition})`, async () => {
      assert.equal(await inEdgeRuntime(condition, `\`\${assets}default/\`, ${compiled}`), 1);
    });
  }

  test("in Vercel's Edge Runtime, load without an engine says how to import it", async () => {
    const { name, code, message } = await inEdgeRuntime("edge-light", "`${assets}default/`");
    assert.deepEqual([name, code], ["RankletError", "unsupported"]);
    assert.match(message, /import wasm from "ranklet\/assets\/ranklet_relaxed_bg\.wasm\?module"/);
  });

  test("in Vercel's Edge Runtime, load without a model, and of a path, says what to give", async () => {
    for (const source of ["undefined", '"./model"']) {
      const { code, message } = await inEdgeRuntime("edge-light", `${source}, ${compiled}`);
      assert.equal(code, "unsupported");
      assert.match(message, /https URL/);
    }
  });

  test("a runtime without WebAssembly, as Fastly's, imports the package, and load refuses without a request", async () => {
    const requests = [];
    const context = vm.createContext({ URL, TextDecoder, TextEncoder, fetch: (url) => requests.push(url) });
    vm.runInContext(`delete globalThis.WebAssembly;\n${bundle("fastly", '"https://models.example/a/"')}`, context);
    const { name, code, message } = await context.answer();
    assert.deepEqual([name, code], ["RankletError", "unsupported"]);
    assert.match(message, /this runtime has no WebAssembly/);
    assert.deepEqual(requests, []);
  });

  test("Fastly's compiler runs the import of the package", { skip: unlessLong("installs the tools") }, () => {
    installTools(project.folder, "@fastly/js-compute@3.46.0");
    bundle("fastly", '"https://models.example/a/"'); // Writes function.js, which the compiler bundles itself.
    const { status, output } = runTool(project.folder, "js-compute-runtime", ["function.js", "fastly.wasm"]);
    assert.equal(status, 0, output);
  });
});
