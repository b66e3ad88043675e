// explain, explainCost and compare: progress, aborts, errors and turns, on the calling thread and in workers.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);
const several = checkpoint((labels) => labels > 1);
const query = "how many people live there";
const document = "The city has many parks. Three million people live there, say some. It rains.";
const other = "A long way to go, and no one knows why.";
const words = document.match(/\w+/g);
/** The pair with and without units, each sentence and its punctuation, two for each word, and two for the last sentence of two. */
const cost = 2 + 2 * 3 + 2 * (words.length - 2) + 2;
const long = Array.from({ length: 30 }, (_, at) => `Sentence ${at} is about ${at % 7} people in a city.`).join(" ");
/** So many that scoring takes many micro-batches. */
const many = { samples: 60 };

let reference;
before(async () => (reference = await Reranker.load(url, { workers: 0 })));
after(() => reference.dispose());

for (const workers of [0, 1, 2]) {
  describe(`explain with ${workers} workers`, () => {
    let reranker;
    before(async () => (reranker = await Reranker.load(url, { workers })));
    after(() => reranker.dispose());

    test("explanations are the same bits with any number of workers", async () => {
      for (const options of [{}, { of: "both" }, { of: "query" }, { unit: "sentence" }, { samples: 3 }, { of: "both", samples: 5 }]) {
        assert.deepEqual(await reranker.explain(query, document, options), await reference.explain(query, document, options));
      }
      const { logit, base, units, variants } = await reranker.explain(query, document);
      assert.deepEqual(
        units.map(({ text, start, end }) => [text, document.slice(start, end)]),
        words.map((word) => ["document", word]),
      );
      const raw = await reranker.score([[query, document]], { scores: "raw" });
      assert.equal(logit, raw[0]);
      assert.notEqual(base, logit);
      assert.equal(variants, cost);
    });

    test("the cost is known beforehand, and is what is scored", async () => {
      for (const options of [{}, { of: "both" }, { of: "query", samples: 4 }, { unit: "sentence" }, many]) {
        const { variants } = await reranker.explainCost(query, document, options);
        assert.equal((await reranker.explain(query, document, options)).variants, variants);
      }
      assert.deepEqual(await reranker.explainCost(query, document), { variants: cost });
      assert.deepEqual(await reranker.explainCost(query, "..."), { variants: 2 });
      assert.deepEqual(await reranker.explainCost(query, "", many), { variants: 2 });
    });

    test("the progress has all units before anything is scored, and what is known settles", async () => {
      const seen = [];
      const explanation = await reranker.explain(query, document, { ...many, onProgress: (progress) => seen.push(progress) });
      const [first, ...rest] = seen;
      assert.deepEqual([first.stage, first.done, first.total, first.explanation.variants], ["explain", 0, explanation.variants, 0]);
      assert.deepEqual(
        first.explanation.units.map(({ start, contribution }) => [start, contribution]),
        explanation.units.map(({ start }) => [start, 0]),
      );
      assert.ok(rest.length >= 3, `${rest.length} steps`);
      for (const [at, { done, total, explanation: soFar }] of rest.entries()) {
        assert.ok(done > seen[at].done, `${done} after ${seen[at].done}`);
        assert.deepEqual([total, soFar.variants], [explanation.variants, done]);
      }
      assert.ok(rest[0].explanation.units.some(({ contribution }) => contribution !== 0));
      assert.deepEqual(rest.at(-1).explanation, explanation);
      assert.equal(rest.at(-1).done, rest.at(-1).total);
    });

    test("an abort ends an explanation within a micro-batch, and the next call works", async () => {
      for (const at of [0, 2]) {
        const controller = new AbortController();
        let calls = 0;
        const onProgress = () => {
          if (calls++ === at) controller.abort("enough");
        };
        await assert.rejects(reranker.explain(query, document, { ...many, signal: controller.signal, onProgress }), {
          name: "RankletError",
          code: "aborted",
          cause: "enough",
        });
        assert.equal(calls, at + 1);
        await assert.rejects(reranker.compare(query, document, other, { ...many, signal: controller.signal }), { code: "aborted" });
        await assert.rejects(reranker.explainCost(query, document, { signal: controller.signal }), { code: "aborted" });
      }
      assert.equal((await reranker.explain(query, document)).units.length, words.length);
    });

    test("an error that onProgress throws rejects the call", async () => {
      for (const at of [0, 2]) {
        for (const call of [
          (options) => reranker.explain(query, document, options),
          (options) => reranker.compare(query, document, other, options),
        ]) {
          let calls = 0;
          const onProgress = () => {
            if (calls++ === at) throw new TypeError("mine");
          };
          await assert.rejects(call({ ...many, onProgress }), { name: "TypeError", message: "mine" });
          assert.equal(calls, at + 1);
        }
      }
      assert.equal((await reranker.explain(query, document)).units.length, words.length);
    });

    test("a ranking takes turns with an explanation", async () => {
      const documents = [document, other, "It rains."];
      const expected = (await reranker.rerank({ query, documents })).results;
      let explained = false;
      let ranked;
      const onProgress = ({ done }) => {
        if (done > 0) ranked ??= reranker.rerank({ query, documents }).then(({ results }) => ({ results, explained }));
      };
      await reranker.explain(query, document, { samples: 200, onProgress });
      explained = true;
      assert.deepEqual(await ranked, { results: expected, explained: false });
    });

    test("a long document in chunks is explained by its best chunk", async () => {
      const { results } = await reranker.rerank({ query, documents: [long], longDocuments: "chunk", scores: "raw" });
      const [{ score, span }] = results;
      assert.ok(span.end - span.start < long.length / 2);
      const options = { longDocuments: "chunk" };
      const { variants: max } = await reranker.explainCost(query, long, options);
      const seen = [];
      const explanation = await reranker.explain(query, long, { ...options, onProgress: (progress) => seen.push(progress) });
      assert.deepEqual(explanation.span, span);
      assert.equal(explanation.logit, score);
      assert.equal(seen[0].done, 0);
      assert.equal(seen[0].total, max);
      assert.equal(seen.at(-1).done, seen.at(-1).total);
      assert.ok(explanation.variants <= max);
      for (const { start, end, contribution } of explanation.units) {
        if (end <= span.start || start >= span.end) assert.equal(contribution, 0);
      }
      const inside = explanation.units.filter(({ start, end }) => start >= span.start && end <= span.end);
      assert.ok(inside.every(({ contribution }) => contribution !== 0));
      // The chunk as a document of its own has the same tokens, so its words add the same.
      const alone = await reranker.explain(query, long.slice(span.start, span.end));
      assert.deepEqual(
        alone.units.map(({ start, contribution }) => [start + span.start, contribution]),
        inside.map(({ start, contribution }) => [start, contribution]),
      );
    });

    test("compare explains both documents, with what each unit adds to the difference", async () => {
      const seen = [];
      const compared = await reranker.compare(query, document, other, { onProgress: (progress) => seen.push(progress) });
      for (const [name, text, sign] of [
        ["a", document, 1],
        ["b", other, -1],
      ]) {
        const { units, ...rest } = await reranker.explain(query, text);
        assert.deepEqual(compared[name], { ...rest, units: units.map((unit) => ({ ...unit, lift: sign * unit.contribution })) });
      }
      assert.equal(compared.difference, Math.fround(compared.a.logit - compared.b.logit));
      const total = compared.a.variants + compared.b.variants;
      assert.deepEqual([seen[0].stage, seen[0].total], ["compare", total]);
      // The first report comes when both documents are planned, and the scores of one may be there by then.
      assert.ok(seen[0].done <= Math.max(compared.a.variants, compared.b.variants), `${seen[0].done} of ${total}`);
      assert.deepEqual(seen.at(-1), { stage: "compare", done: seen[0].total, total: seen[0].total, comparison: compared });
      const same = await reranker.compare(query, document, document, { samples: 2 });
      assert.equal(same.difference, 0);
      assert.deepEqual(
        same.a.units.map(({ lift }) => lift),
        same.b.units.map(({ lift }) => -lift),
      );
    });

    test("a reranker that is disposed rejects its explanations", async () => {
      const own = await Reranker.load(url, { workers });
      const onProgress = ({ done }) => done > 0 && own.dispose();
      await assert.rejects(own.explain(query, document, { ...many, onProgress }), { code: "disposed" });
      for (const call of [
        () => own.explain(query, document),
        () => own.explainCost(query, document),
        () => own.compare(query, document, other),
      ]) {
        await assert.rejects(call, { code: "disposed" });
      }
    });
  });
}

describe("arguments of explain", () => {
  const wrong = [
    ["explain", [], "input", /explain: query must be a string, not undefined/],
    ["explain", [query], "input", /explain: document must be a string or an object with a text, not undefined/],
    ["explain", [query, { name: "a" }], "input", /explain: document has no string `text`.*name the fields to score in rankFields/],
    ["explain", [query, { name: "a" }, { rankFields: ["title"] }], "input", /no document has a field of rankFields: "title"/],
    ["explain", [query, document, { rankFields: ["title"] }], "input", /document must be an object with the fields of rankFields, not "/],
    ["explain", [query, document, { structured: "xml" }], "input", /explain: structured must be "yaml" or "lines", not "xml"/],
    ["explain", [query, document, { longDocuments: "cut" }], "input", /longDocuments must be "truncate" or "chunk", not "cut"/],
    ["explain", [query, document, { maxTokensPerDocument: 9 }], "unsupported", /as much of the document as fits/],
    ["explain", [query, document, { unit: "letter" }], "input", /explain: unit must be "word" or "sentence", not "letter"/],
    ["explain", [query, document, { of: "title" }], "input", /explain: of must be "document" or "query" or "both"/],
    ["explain", [query, document, { samples: -1 }], "input", /samples must be a whole number of 0 or more, not -1/],
    ["explain", [query, document, { samples: 1.5 }], "input", /samples must be/],
    ["explain", [query, document, { samples: NaN }], "input", /samples must be/],
    ["explain", [query, document, { samples: "3" }], "input", /samples must be/],
    ["explain", [query, document, { samples: 1e9 }], "input", /would score .* variants.*fewer samples/],
    ["explain", [query, document, { samples: Number.MAX_SAFE_INTEGER }], "input", /would score .* variants/],
    ["explain", [query, document, { onProgress: 1 }], "input", /onProgress must be a function/],
    ["explain", [query, document, { signal: {} }], "input", /signal must be an AbortSignal/],
    ["explain", [query, document, { units: "word" }], "input", /explain: unknown option "units"; did you mean "unit"\?/],
    ["explain", [query, document, null], "input", /options must be an object/],
    ["explain", [query, document, { scores: "raw" }], "unsupported", /scores is not available: contributions are differences of logits/],
    ["explain", [query, document, { instruction: "x" }], "unsupported", /put the instruction into the query/],
    ["explainCost", [query], "input", /explainCost: document must be a string/],
    ["explainCost", [query, { name: "a" }], "input", /explainCost: document has no string `text`/],
    ["explainCost", [query, document, { onProgress: () => {} }], "unsupported", /onProgress is not available: nothing is scored/],
    ["compare", [query, document], "input", /compare: b must be a string or an object with a text, not undefined/],
    ["compare", [query, 1, document], "input", /compare: a must be a string or an object with a text, not 1/],
    ["compare", [query, { title: 1 }, { title: {} }, { rankFields: ["title"] }], "input", /compare: b field "title" of rankFields must be/],
    ["compare", [query, document, other, { of: "both" }], "unsupported", /compare: of is not available/],
  ];
  for (const [call, args, code, message] of wrong) {
    test(`${call} refuses ${JSON.stringify(args.slice(1))?.slice(0, 80)}`, () =>
      rejectsWith(code, message, () => reference[call](...args)));
  }

  test("explanations need a model with one label", async () => {
    const reranker = await Reranker.load(several.url, { workers: 0 });
    for (const call of ["explain", "explainCost"])
      await rejectsWith("input", new RegExp(`${call} needs a model with one label`), () => reranker[call](query, document));
    await rejectsWith("input", /compare needs a model with one label/, () => reranker.compare(query, document, other));
    reranker.dispose();
  });

  test("any text can be explained", async () => {
    for (const text of [
      "",
      " \n",
      "\0",
      "\ud800",
      "a\ud800b",
      "[SEP] [MASK]",
      "👩‍👩‍👧‍👦 e\u0301\u0302 ﷺ",
      "x".repeat(10_000),
      "a. ".repeat(3000),
    ]) {
      for (const unit of ["word", "sentence"]) {
        const { units, logit } = await reference.explain(text, text, { unit, of: "both" });
        assert.ok(Number.isFinite(logit));
        for (const { start, end } of units) assert.ok(start < end && end <= text.length, JSON.stringify([text.slice(0, 20), start, end]));
      }
    }
  });

  test("snake_case names work too", async () => {
    const seen = [];
    await reference.explain(query, document, { on_progress: (progress) => seen.push(progress) });
    assert.ok(seen.length > 1);
  });
});
