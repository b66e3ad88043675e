import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { describe, test } from "node:test";

import { read } from "../support/docs/markdown.js";
import { dist, inRepository } from "../support/paths.js";

const benchmarks = read("docs/benchmarks.md");

describe("figures that a reader meets twice", () => {
  test("README's speed is that of docs/benchmarks.md", () => {
    const [, ratio] = /it is (\d+(?:\.\d+)?) times as fast as transformers\.js/.exec(read("README.md"));
    const row = /^\| transformers\.js, sorted batches of 16 \| q8 \| 1 \|.*\|$/m.exec(benchmarks)[0];
    assert.equal(row.split("|").at(-2).trim(), ratio);
  });

  test("README and docs/benchmarks.md have the size of the default model's file", () => {
    const megabytes = (statSync(inRepository("models/default/model.safetensors")).size / 1e6).toFixed(1);
    assert.ok(read("README.md").includes(`The default model takes ${megabytes} MB`), megabytes);
    assert.ok(benchmarks.includes(`| weights of the embedded model: q8 | ${megabytes} MB |`), megabytes);
  });

  test("README, docs/benchmarks.md and the card have the size of the small model's file", () => {
    const megabytes = (statSync(inRepository("models/small/model.safetensors")).size / 1e6).toFixed(1);
    assert.ok(read("README.md").includes(`the small one ${megabytes} MB`), megabytes);
    assert.ok(benchmarks.includes(`| weights of the small model: q4 | ${megabytes} MB |`), megabytes);
    assert.ok(read("models/small/README.md").includes(`${megabytes} MB`), megabytes);
  });

  test("docs/models.md has the sizes of both models, as they are and compressed", () => {
    const files = ["default", "small"].map((folder) =>
      Buffer.concat(["model.safetensors", "tokenizer.json"].map((name) => readFileSync(inRepository(`models/${folder}/${name}`)))),
    );
    const [plain, compressed] = [files.map(({ length }) => length), files.map(gzippedSize)].map((sizes) =>
      sizes.map((size) => `${(size / 1e6).toFixed(1)} MB`),
    );
    assert.ok(read("docs/models.md").includes(`| files | ${plain[0]}, q8 | ${plain[1]}, q4; q8 in memory |`), plain.join());
    assert.ok(read("docs/models.md").includes(`| compressed with its tokenizer | ${compressed.join(" | ")} |`), compressed.join());
  });

  // Another compiler moves the sizes a little, which needs no new figures.
  const tolerance = 0.005;
  for (const [row, file] of [
    ["WebAssembly file", "ranklet_bg.wasm"],
    ["WebAssembly file with relaxed SIMD", "ranklet_relaxed_bg.wasm"],
  ]) {
    test(`docs/benchmarks.md has the size of the ${row}`, (t) => {
      const bytes = readFileSync(new URL(`assets/${file}`, dist));
      const [, megabytes, kilobytes] = new RegExp(`^\\| ${row}: raw, gzipped \\| ([\\d.]+) MB, ([\\d,]+) kB \\|`, "m").exec(benchmarks);
      const gzipped = gzippedSize(bytes);
      t.diagnostic(`${bytes.length} bytes, ${gzipped} gzipped`);
      assert.ok(Math.abs(megabytes * 1e6 - bytes.length) < tolerance * bytes.length, `${bytes.length} bytes`);
      assert.ok(Math.abs(kilobytes.replace(",", "") * 1e3 - gzipped) < tolerance * gzipped, `${gzipped} bytes gzipped`);
    });
  }

  for (const [folder, name, before] of [
    ["default", "embedded", "0.4458, "],
    ["small", "small", ""],
  ]) {
    test(`the ${name} model's quality is the same in its card, docs/models.md and docs/benchmarks.md`, () => {
      const [, quality] = /^\| this model \| (0\.\d{4}) /m.exec(read(`models/${folder}/README.md`));
      assert.ok(benchmarks.includes(`reranked by the ${name} model | ${before}${quality} |`), quality);
      assert.ok(read("docs/models.md").includes(`| ${Number(quality).toFixed(3)} |`), quality);
    });
  }

  test("the oldest Node versions are those that the package and the build check", () => {
    const { engines } = JSON.parse(read("pkg/package.json"));
    assert.equal(engines.node, "^20.19.0 || >=22.12.0");
    for (const path of ["README.md", "docs/js-api.md", "docs/bundlers.md"]) assert.match(read(path), /Node 20\.19(,| or)\s22\.12/, path);
    assert.match(read("scripts/setup.sh"), /20\.19/);
    for (const path of ["README.md", "CONTRIBUTING.md"]) assert.match(read(path), /Node 20\.19 or later/, path);
  });
});

/** Returns the size of these bytes as `gzip -9` compresses them. */
function gzippedSize(bytes) {
  return execFileSync("gzip", ["-9", "-c"], { input: bytes, maxBuffer: bytes.length }).length;
}
