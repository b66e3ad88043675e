// A q8 score has the same bits in every runtime and for every batch: with the default model, and with small models of all
// families, which are quantized while they are loaded.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { launchFirefox } from "../support/browsers/firefox.js";
import { launchWebKit, noWebKit } from "../support/browsers/webkit.js";
import { families } from "../support/models/fixtures.js";
import { pairs } from "../support/models/pairs.js";
import { dist, inRepository, root } from "../support/paths.js";
import { sendFixture, startSite } from "../support/servers/package-site.js";

const program = inRepository("target/release/ranklet");
const reversed = pairs.toReversed();
const small = families().map(({ name, expected }) => ({ name, path: `fixtures/families/${name}/`, expected }));

// The relaxed file has two kernels; the faster one on this machine is used.
const relaxed = /^wasm relaxed-simd(, pairs)?$/;
const simd128 = /^wasm simd128$/;
const nodeHasRelaxed = Number(process.versions.node.split(".")[0]) > 20;

describe("q8 scores have the native program's bits", () => {
  let expected;
  const expectedOf = new Map();
  let site;
  before(async () => {
    expected = nativeBits(pairs);
    assert.equal(expected.length, pairs.length);
    for (const { name, path, expected } of small) {
      expectedOf.set(name, nativeBits(expected.pairs, ["--model", inRepository(`tests/${path}`), "--dtype", "q8"]));
    }
    site = await startSite({ "/fixtures/": sendFixture });
  });
  after(() => site?.stop());

  /** Asserts the bits of all calls in a runtime, and the file that computed them. */
  function check({ engine, together, backwards, alone }, expectedEngine, t) {
    t.diagnostic(engine);
    assert.match(engine, expectedEngine);
    assertSame(together, expected, "together");
    assertSame(backwards, expected.toReversed(), "in reverse");
    assertSame(alone, expected, "alone");
  }

  /** Asserts the bits of the small models. */
  function checkFamilies({ engine, bits }, expectedEngine) {
    assert.match(engine, expectedEngine);
    for (const { name } of small) assertSame(bits[name], expectedOf.get(name), name);
  }

  test("q8 scores of the native program have the same bits in reverse order and one at a time", () => {
    assertSame(nativeBits(reversed), expected.toReversed(), "in reverse");
    assertSame(
      pairs.flatMap((pair) => nativeBits([pair])),
      expected,
      "alone",
    );
  });

  for (const workers of [0, 2]) {
    test(`q8 scores in Node with ${workers} workers have the bits of the native program`, async (t) => {
      const url = new URL("index.node.js", dist).href;
      check(await scoreHere({ url, workers, pairs, reversed }), nodeHasRelaxed ? relaxed : simd128, t);
    });
  }

  test("q8 scores in Node have the bits of the native program for every family", async () => {
    const url = new URL("index.node.js", dist).href;
    checkFamilies(await scoreFamiliesHere({ url, models: modelsAt(new URL("tests/", root)) }), nodeHasRelaxed ? relaxed : simd128);
  });

  const browsers = [
    { name: "Chromium", launch: launchChromium, engine: relaxed },
    { name: "Firefox", launch: launchFirefox, engine: relaxed },
    { name: "WebKit", launch: launchWebKit, engine: simd128, skip: noWebKit },
  ];
  for (const { name, launch, engine, skip = false } of browsers) {
    describe(`in ${name}`, { skip }, () => {
      let browser;
      before(async () => (browser = await launch()));
      after(() => browser?.close());

      const run = async (options, work = scoreHere) => {
        const page = await browser.newPage();
        await page.goto(site.url);
        return page.evaluate(work, { url: `${site.url}pkg/index.js`, workers: 1, pairs, reversed, ...options });
      };
      test(`q8 scores in ${name} have the bits of the native program for every family`, async () =>
        checkFamilies(await run({ models: modelsAt(site.url) }, scoreFamiliesHere), engine));
      test(`q8 scores in ${name} have the bits of the native program, with the file that the browser gets`, async (t) =>
        check(await run({}), engine, t));
      if (engine === relaxed) {
        test(`q8 scores in ${name} have the bits of the native program, with the file without relaxed SIMD`, async (t) =>
          check(await run({ withoutRelaxed: true }), simd128, t));
      }
    });
  }
});

/** The small models with their pairs, as URLs below `base`. */
function modelsAt(base) {
  return small.map(({ name, path, expected }) => ({ name, model: new URL(path, base).href, pairs: expected.pairs }));
}

/** Returns the bits of the scores that the command line prints. */
function nativeBits(some, model = []) {
  if (!existsSync(program)) throw new Error(`no ${program}: cargo build --release --bin ranklet makes it`);
  const input = some.map((pair) => JSON.stringify(pair)).join("\n");
  const options = ["--device", "cpu", "--scores", "raw", "--json"];
  const rows = JSON.parse(
    execFileSync(program, ["score", "--pairs", "-", ...model, ...options], { input, encoding: "utf8", timeout: 120_000 }),
  );
  return Array.from(new Uint32Array(Float32Array.from(rows.flat()).buffer));
}

/**
 * Scores the pairs in one call, in reverse in another, and one per call, and returns the bits of the scores. It also runs in
 * pages, so it must not refer to anything outside.
 */
async function scoreHere({ url, workers, pairs, reversed, withoutRelaxed = false }) {
  // The package calls this once per page to choose the file.
  if (withoutRelaxed) WebAssembly.validate = () => false;
  const { Reranker } = await import(url);
  const reranker = await Reranker.load(undefined, { workers });
  const bits = async (some) => Array.from(new Uint32Array((await reranker.score(some, { scores: "raw" })).buffer));
  const together = await bits(pairs);
  const backwards = await bits(reversed);
  const alone = [];
  for (const pair of pairs) alone.push(...(await bits([pair])));
  const { engine } = reranker.info.backend;
  reranker.dispose();
  return { engine, together, backwards, alone };
}

/** Scores the pairs of each model in q8. Like `scoreHere`, it must not refer to anything outside. */
async function scoreFamiliesHere({ url, models }) {
  const { Reranker } = await import(url);
  const bits = {};
  let engine;
  for (const { name, model, pairs } of models) {
    const reranker = await Reranker.load(new URL(model), { dtype: "q8", workers: 0, device: "cpu" });
    bits[name] = Array.from(new Uint32Array((await reranker.score(pairs, { scores: "raw" })).buffer));
    ({ engine } = reranker.info.backend);
    reranker.dispose();
  }
  return { engine, bits };
}

/** Asserts that two lists of scores have the same bits; the error names the first pair that differs. */
function assertSame(actual, expected, what) {
  assert.equal(actual.length, expected.length, `${what}: how many`);
  const at = actual.findIndex((bits, at) => bits !== expected[at]);
  if (at >= 0) assert.fail(`${what}, pair ${at}: ${show(actual[at])} and not ${show(expected[at])}`);
}

function show(bits) {
  const [score] = new Float32Array(Uint32Array.of(bits).buffer);
  return `${score} (0x${bits.toString(16).padStart(8, "0")})`;
}
