// Explanations against those of tests/fixtures/make_explanations.py: sentence-transformers' logits, units marked by hand, plain formulas.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";

import { dist, root } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const fixtures = new URL("tests/fixtures/", root);
const cases = JSON.parse(readFileSync(new URL("explanations.json", fixtures), "utf8")).contributions;
const models = [...new Set(cases.map(({ model }) => model))];
const languages = [...new Set(cases.map(({ language }) => language))];

/** Max difference of two logits that are equal up to rounding. */
const tolerance = 1e-4;

test("the table has twelve languages, and both texts", () => {
  assert.equal(languages.length, 12);
  assert.ok(cases.some(({ units }) => new Set(units.map(({ text }) => text)).size === 2));
});

for (const model of models) {
  describe(`explanations of ${model}`, () => {
    /** Calls `check` with each case for which `wanted` returns true, and its explanation. */
    async function explainAll(wanted, optionsOf, check) {
      const reranker = await Reranker.load(new URL(`${model}/`, fixtures), { workers: 0 });
      let count = 0;
      try {
        for (const expected of cases) {
          if (expected.model !== model || !wanted(expected)) continue;
          const { query, document, unit, of } = expected;
          check(
            expected,
            await reranker.explain(query, document, { unit, of, ...optionsOf(expected) }),
            JSON.stringify({ query, document, unit, of }),
          );
          count++;
        }
      } finally {
        reranker.dispose();
      }
      assert.ok(count > 0);
    }
    const positions = ({ units }) => units.map(({ text, start, end }) => [text, start, end]);
    const contents = ({ query, document }, { units }) =>
      units.map(({ text, start, end }) => (text === "query" ? query : document).slice(start, end));

    test("each unit is where it is in the text, and adds what is lost with its tokens", () =>
      explainAll(
        ({ deviation }) => deviation === undefined,
        () => ({}),
        (expected, explanation, what) => {
          assert.deepEqual(
            positions(explanation),
            positions(expected),
            `${what}: ${contents(expected, explanation).join("|")}, not ${contents(expected, expected).join("|")}`,
          );
          assert.ok(Math.abs(explanation.logit - expected.logit) <= tolerance, what);
          assert.ok(Math.abs(explanation.base - expected.base) <= tolerance, what);
          for (const [at, { contribution }] of explanation.units.entries()) {
            const difference = contribution - expected.units[at].contribution;
            assert.ok(
              Math.abs(difference) <= 2 * tolerance,
              `${what}: unit ${at} adds ${contribution}, not ${expected.units[at].contribution}`,
            );
          }
          // At most two for each unit and each sentence, besides the pair with and without units.
          const { length } = explanation.units;
          assert.ok(explanation.variants >= length + 1 && explanation.variants <= 2 + 4 * length, what);
          const sum = explanation.units.reduce((total, { contribution }) => total + contribution, 0);
          assert.ok(Math.abs(explanation.additivityError - (sum - (explanation.logit - explanation.base))) < 1e-5, what);
        },
      ));

    test("two orders of two units give their Shapley values", () =>
      explainAll(
        ({ deviation, units }) => deviation !== undefined && units.length === 2,
        () => ({ samples: 2 }),
        (expected, explanation, what) => {
          assert.equal(explanation.variants, 4, what);
          for (const [at, { contribution }] of explanation.units.entries()) {
            assert.ok(
              Math.abs(contribution - expected.units[at].contribution) <= 2 * tolerance,
              `${what}: ${contribution}, not ${expected.units[at].contribution}`,
            );
          }
        },
      ));

    test("sampled orders come close to the Shapley values, and add up", () => {
      const samples = 100;
      return explainAll(
        ({ deviation, units }) => deviation !== undefined && units.length > 2,
        () => ({ samples }),
        (expected, explanation, what) => {
          assert.equal(explanation.variants, 2 + samples * (explanation.units.length - 1), what);
          const bound = (5 * expected.deviation) / Math.sqrt(samples) + 2 * tolerance;
          let size = 0;
          for (const [at, { contribution }] of explanation.units.entries()) {
            size += Math.abs(contribution);
            assert.ok(
              Math.abs(contribution - expected.units[at].contribution) <= bound,
              `${what}: ${contribution}, not ${expected.units[at].contribution} within ${bound}`,
            );
          }
          assert.ok(Math.abs(explanation.additivityError) <= 2 ** -24 * size + 1e-9, `${what}: ${explanation.additivityError}`);
        },
      );
    });
  });
}
