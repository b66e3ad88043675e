import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { assertClose, rejectsWith } from "../support/assert.js";
import { read } from "../support/docs/markdown.js";
import { checkpoints, families } from "../support/models/fixtures.js";
import { dist, root } from "../support/paths.js";

// The tolerance for f32 against sentence-transformers. Activations can only make a difference smaller.
const tolerance = 1e-4;

describe("parity with sentence-transformers", () => {
  let Reranker;
  let largest = { difference: 0 };
  before(async () => ({ Reranker } = await import(new URL("index.node.js", dist))));

  for (const { name, url, expected } of [...checkpoints(), ...families()]) {
    test(`${name} has the scores of sentence-transformers in f32`, async () => {
      const reranker = await Reranker.load(url, { dtype: "f32", workers: 0 });
      const logits = await reranker.score(expected.pairs, { scores: "raw" });
      assertClose(logits, expected.logits.flat(), tolerance, "logits");
      for (const [at, logit] of expected.logits.flat().entries()) {
        const difference = Math.abs(logits[at] - logit);
        if (difference > largest.difference) largest = { difference, name };
      }
      assertClose(await reranker.score(expected.pairs), expected.scores.flat(), tolerance, "scores");
      reranker.dispose();
    });
  }

  test("no logit differs by more than docs/benchmarks.md says", (t) => {
    t.diagnostic(`largest difference ${largest.difference.toExponential(1)}, of ${largest.name}`);
    const [, documented] = /\| largest difference (\S+) \|/.exec(read("docs/benchmarks.md"));
    assert.ok(largest.difference > 0 && largest.difference <= Number(documented), `${largest.difference} of ${largest.name}`);
  });

  test("a decoder is refused, and the error has the size of its weights and the ways out", async () => {
    // 49,984 and 19,584 parameters of four bytes.
    for (const [name, family, bytes] of [
      ["qwen3-tied-h40", "qwen3", 199936],
      ["qwen2-window-h24", "qwen2", 78336],
    ]) {
      const model = new URL(`tests/fixtures/families/${name}/`, root);
      const message = new RegExp(`"${family}" is a decoder, whose weights take ${bytes} bytes.*native program.*load an encoder`);
      await rejectsWith("unsupported", message, Reranker.load(model));
    }
  });
});
