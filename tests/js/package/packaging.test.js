import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { runTool, testTools } from "../support/package/tools.js";
import { inRepository } from "../support/paths.js";

// Maximum sizes in bytes: the default model takes 24.0 MB, the small one 8.4 MB, the two files of the engine 6.3 MB, the code
// 0.8 MB.
const unpackedBudget = 40_000_000;
const tarballBudget = 30_500_000;

describe("the packed package", () => {
  let project;
  let files;
  before(() => {
    project = installPacked();
    files = filesOf(join(project.folder, "node_modules/ranklet"));
  });
  after(() => project.remove());

  test("the packed package has the files that it needs and no others", () => {
    const isModule = (path) => /^dist\/(?!assets\/).*\.(js|d\.ts)$/.test(path);
    const others = files.map(({ path }) => path).filter((path) => !isModule(path));
    assert.deepEqual(others.sort(), [
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "dist/assets/default/config.json",
      "dist/assets/default/config_sentence_transformers.json",
      "dist/assets/default/model.safetensors",
      "dist/assets/default/tokenizer.json",
      "dist/assets/default/tokenizer_config.json",
      "dist/assets/ranklet_bg.wasm",
      "dist/assets/ranklet_relaxed_bg.wasm",
      "dist/assets/shared-worker.js",
      "dist/assets/small/config.json",
      "dist/assets/small/config_sentence_transformers.json",
      "dist/assets/small/model.safetensors",
      "dist/assets/small/tokenizer.json",
      "dist/assets/small/tokenizer_config.json",
      "dist/assets/worker.js",
      "dist/assets/worker.mjs",
      "package.json",
    ]);
    assert.deepEqual(
      files.filter(({ path }) => path.includes("test")),
      [],
    );
  });

  test("no file of the packed package names folders of the build machine or of cargo's registry", () => {
    const code = files.filter(({ path }) => /\.(js|mjs|ts|json|md|wasm)$/.test(path) && !/\/(default|small)\//.test(path));
    for (const { path, name } of code) {
      const text = readFileSync(name, "latin1");
      for (const trace of [inRepository("."), homedir(), "registry/src"]) assert.ok(!text.includes(trace), `${path} has ${trace}`);
    }
  });

  test("the packed package is within its size limits", (t) => {
    const unpacked = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const tarball = statSync(project.tarball).size;
    t.diagnostic(`${files.length} files, ${megabytes(unpacked)} MB unpacked, ${megabytes(tarball)} MB as a tarball`);
    assert.ok(unpacked <= unpackedBudget, `${unpacked} bytes unpacked, over ${unpackedBudget}`);
    assert.ok(tarball <= tarballBudget, `${tarball} bytes as a tarball, over ${tarballBudget}`);
  });

  test("publint reports no error, warning or suggestion", () => {
    const { status, output } = runTool(project.folder, "publint", ["run", "--strict", project.tarball], { tools: testTools });
    assert.equal(status, 0, output);
    assert.match(output, /All good!/);
  });

  // CommonJS can load the package with import() only, as intended; the profile ignores that.
  test("attw finds that types and code agree for every way to import the package", () => {
    const { status, output } = runTool(
      project.folder,
      "attw",
      ["--profile", "esm-only", "--format", "ascii", "--no-color", project.tarball],
      { tools: testTools },
    );
    assert.equal(status, 0, output);
    for (const entry of ["ranklet", "ranklet/default-model", "ranklet/small-model"]) assert.ok(output.includes(`"${entry}"`), output);
  });
});

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
