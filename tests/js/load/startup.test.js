// What a runtime does between the import and the first score of the default model.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { dist } from "../support/paths.js";

/** Bytes of WebAssembly that V8 may optimize: the kernels, and the functions that run for each token of the vocabulary. */
const maxOptimizedBytes = 130_000;

test("V8 optimizes hardly any code that runs once while the default model loads", (t) => {
  const program = `
    const { Reranker } = await import(${JSON.stringify(new URL("index.node.js", dist).href)});
    const reranker = await Reranker.load(undefined, { workers: 0 });
    await reranker.score([["a query", "a document"]]);
    reranker.dispose();`;
  const output = execFileSync(process.execPath, ["--trace-wasm-compilation-times", "--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 2 ** 26,
  });
  const sizes = [...output.matchAll(/ using TurboFan.*?bodysize (\d+) /g)].map(([, bytes]) => Number(bytes));
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  t.diagnostic(`${sizes.length} functions with ${total} bytes`);
  assert.ok(sizes.length > 5, "V8 reports its compilations in another form");
  assert.ok(
    total <= maxOptimizedBytes,
    `V8 optimized ${total} bytes, the largest functions with ${sizes.sort((a, b) => b - a).slice(0, 5)}`,
  );
});
