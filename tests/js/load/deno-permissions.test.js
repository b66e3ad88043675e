// Deno permits a program only what its flags say.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { filesIn, startHub } from "../support/servers/hub.js";

const deno = fileURLToPath(new URL("../node_modules/.bin/deno", import.meta.url));

// With a static import, which needs no permission.
const program = `
import { Reranker } from ${JSON.stringify(new URL("index.node.js", dist).href)};
const [model, options] = Deno.args;
try {
  const reranker = await Reranker.load(model === "" ? undefined : model, JSON.parse(options));
  const ranked = (await reranker.rank("q", ["a", "b"])).length;
  const { warnings, backend } = reranker.info;
  reranker.dispose();
  console.log(JSON.stringify({ ranked, warnings, workers: backend.workers }));
} catch ({ name, code, message }) {
  console.log(JSON.stringify({ name, code, message }));
}`;

describe("in Deno", () => {
  const { url } = checkpoint((labels) => labels === 1);
  const readPackage = `--allow-read=${fileURLToPath(dist)}`;
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ranklet-deno-"));
    writeFileSync(join(folder, "program.mjs"), program);
  });
  after(() => rmSync(folder, { recursive: true }));

  /** Loads a model in Deno with these permissions. Returns what the program prints. */
  async function load(model, permissions, options = {}) {
    const args = ["run", "--no-prompt", ...permissions, join(folder, "program.mjs"), model, JSON.stringify(options)];
    const { stdout } = await promisify(execFile)(deno, args, { timeout: 120_000 });
    return JSON.parse(stdout);
  }

  test("the default model needs --allow-read for the package only", async () => {
    const { ranked, warnings, workers } = await load("", [readPackage]);
    assert.deepEqual([ranked, warnings], [2, []]);
    assert.ok(workers > 0);
  });

  test("without --allow-read, the error names the flag", async () => {
    const { name, message } = await load("", []);
    assert.equal(name, "RankletError");
    assert.match(message, /--allow-read/);
    assert.doesNotMatch(message, /SIMD|security policy/);
  });

  test("a folder that may not be read is refused with the flag", async () => {
    const { code, message } = await load(url.href, [readPackage]);
    assert.match(message, /config\.json cannot be read: .*--allow-read/s);
    assert.equal(code, "config");
  });

  test("a Hub id without --allow-net is refused with the flag", async () => {
    const { code, message } = await load("org/name", [readPackage, "--allow-env", "--allow-sys"]);
    assert.match(message, /--allow-net/);
    assert.equal(code, "network");
  });

  test("a Hub id without --allow-env loads without the environment and the cache, and warnings name the flags", async () => {
    const hub = await startHub();
    try {
      hub.publish("org/name", filesIn(url));
      const { ranked, warnings } = await load("org/name", [readPackage, "--allow-net"], { baseUrl: hub.url });
      assert.equal(ranked, 2);
      assert.equal(warnings.length, 2, warnings.join("\n"));
      assert.match(warnings[0], /not stored in a cache.*--allow-sys/);
      assert.match(warnings[1], /HF_TOKEN.*--allow-env/);
    } finally {
      await hub.stop();
    }
  });
});
