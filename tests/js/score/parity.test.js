import { before, describe, test } from "node:test";

import { assertClose, rejectsWith } from "../support/assert.js";
import { checkpoints, families } from "../support/models/fixtures.js";
import { dist, root } from "../support/paths.js";

// The bound for f32 against sentence-transformers; activations only shrink a difference.
const tolerance = 1e-4;

describe("scores equal those of sentence-transformers", () => {
  let Reranker;
  before(async () => ({ Reranker } = await import(new URL("index.node.js", dist))));

  for (const { name, url, expected } of [...checkpoints(), ...families()]) {
    test(name, async () => {
      const reranker = await Reranker.load(url, { dtype: "f32", workers: 0 });
      assertClose(await reranker.score(expected.pairs, { scores: "raw" }), expected.logits.flat(), tolerance, "logits");
      assertClose(await reranker.score(expected.pairs), expected.scores.flat(), tolerance, "scores");
      reranker.dispose();
    });
  }

  test("a decoder is refused by the memory that its weights take", async () => {
    // 49,984 numbers of four bytes.
    const model = new URL("tests/fixtures/families/qwen3-tied-h40/", root);
    await rejectsWith("unsupported", /"qwen3" is a decoder, whose weights take 199936 bytes/, Reranker.load(model));
  });
});
