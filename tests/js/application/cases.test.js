// The cases of tests/fixtures/application.json, which the tests in Rust replay too. PyYAML and plain formulas in Python wrote them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { dist, root } from "../support/paths.js";

const { documentTexts } = await import(new URL("documents/documents.js", dist));
const { checkFirstStage, fuseOptions } = await import(new URL("api/fusion.js", dist));
const { chooseResults } = await import(new URL("api/results.js", dist));
const cases = JSON.parse(readFileSync(new URL("tests/fixtures/application.json", root), "utf8"));

describe("texts of documents", () => {
  test("the table has cases of both forms, and of paths", () => {
    assert.ok(cases.texts.length > 250);
    for (const form of ["yaml", "lines", undefined])
      assert.ok(cases.texts.some(({ structured, rank_fields: fields }) => structured === form && fields !== undefined));
  });

  for (const form of ["yaml", "lines", undefined]) {
    test(`documents are written as ${form ?? "the fields themselves"}`, () => {
      for (const { document, rank_fields: rankFields, structured, text } of cases.texts) {
        if (structured !== form) continue;
        // A second document, because no document may have any of the fields.
        const documents = rankFields === undefined ? [document] : [document, Object.fromEntries(rankFields.map((field) => [field, "x"]))];
        assert.equal(documentTexts(documents, { rankFields, structured })[0], text, JSON.stringify({ document, rankFields }));
      }
    });
  }
});

describe("rankings", () => {
  test("results are chosen and ordered as in each case", () => {
    for (const [at, { scores, fuse, min_score: minScore, top_n: topN, results }] of cases.rankings.entries()) {
      const scored = scores.map((score, index) => ({ index, score }));
      const fusion = fuse === undefined ? undefined : fuseOptions(fuse, "fuse");
      checkFirstStage("rerank", fusion, scores.length);
      const found = chooseResults(scored, { fuse: fusion, minScore, topN });
      assert.deepEqual(
        found.map(({ index }) => index),
        results.map(({ index }) => index),
        `case ${at}`,
      );
      for (const [position, { score, model_score: modelScore }] of results.entries()) {
        assert.ok(
          Math.abs(found[position].score - score) <= 1e-12 * Math.max(1, Math.abs(score)),
          `case ${at}: ${found[position].score}, not ${score}`,
        );
        assert.equal(found[position].modelScore, modelScore, `case ${at}`);
      }
    }
  });

  for (const [fuse, word] of cases.refused_fusions) {
    test(`the fusion ${JSON.stringify(fuse)} is refused`, async () => {
      await rejectsWith("input", new RegExp(word), async () => checkFirstStage("rerank", fuseOptions(fuse, "fuse"), 2));
    });
  }
});
