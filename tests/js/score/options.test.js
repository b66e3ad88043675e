import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";

import { assertClose, rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url } = checkpoint((labels) => labels === 1);

describe("load", () => {
  const loadWith = (options) => async () => (await Reranker.load(url, options)).dispose();

  const wrong = [
    [{ devise: "cpu" }, /unknown option "devise".*device/],
    [{ toString: 1 }, /unknown option "toString"/],
    [null, /options must be an object, not null/],
    ["cpu", /options must be an object/],
    [{ device: "gpu" }, /device must be "auto" or "webgpu" or "cpu", not "gpu"; here it is "webgpu"$/],
    [{ device: "wasm" }, /not "wasm"; here it is "cpu"$/],
    [{ device: "toString" }, /not "toString"$/],
    [{ device: 1 }, /device must be/],
    [{ dtype: "int8" }, /dtype must be .*, not "int8"; here it is "q8"$/],
    [{ dtype: "fp32" }, /here it is "f32"$/],
    [{ dtype: "fp16" }, /here it is "f16"$/],
    [{ dtype: null }, /dtype must be .* not null/],
    [{ workers: -1 }, /workers must be/],
    [{ workers: "many" }, /workers must be/],
    [{ workers: 1.5 }, /workers must be/],
    [{ workers: "2" }, /workers must be "auto" or a whole number from 0 to 64, not "2"/],
    [{ workers: 65 }, /workers must be "auto" or a whole number from 0 to 64, not 65/],
    [{ maxLength: 0 }, /maxLength must be a whole number of 1 or more, not 0/],
    [{ maxLength: -3 }, /maxLength must be/],
    [{ maxLength: NaN }, /maxLength must be .* not NaN/],
    [{ maxLength: 8.5 }, /maxLength must be/],
    [{ maxLength: "16" }, /maxLength must be/],
    [{ signal: {} }, /signal must be an AbortSignal/],
    [{ onProgress: true }, /onProgress must be a function/],
    [{ revision: 1 }, /revision must be a string, not 1/],
    [{ baseUrl: new URL("https://models.example/") }, /baseUrl must be a string/],
    [{ token: 1 }, /token must be an access token/],
    [{ cache: "" }, /cache must be true, false or the name of a cache/],
    [{ cache: 1 }, /cache must be true, false or/],
    [{ cache: { maxBytes: 0 } }, /cache: maxBytes must be a whole number of 1 or more/],
    [{ cache: { name: "" } }, /cache: name must not be empty/],
    [{ cache: { max: 1 } }, /cache: unknown option "max"/],
    [{ integrity: [] }, /integrity must be an object/],
    [
      { integrity: { "config.json": "md5" } },
      /integrity\["config\.json"\] must be "sha256-" and 44 characters of base64, or 64 hexadecimal digits/,
    ],
  ];
  for (const [options, message] of wrong) {
    test(`load refuses the options ${JSON.stringify(options)}`, () => rejectsWith("input", message, loadWith(options)));
  }

  const unsupported = [
    [{ device: "webgpu" }, /"webgpu" is not available: this runtime has no WebGPU .* use "auto" or "cpu"/],
    [{ dtype: "f16" }, /the dtype f16 needs a GPU/],
    [{ dtype: "q4" }, /needs a q4 file: make one with ranklet quantize/],
  ];
  for (const [options, message] of unsupported) {
    test(`load answers ${JSON.stringify(options)} with the code unsupported`, () => rejectsWith("unsupported", message, loadWith(options)));
  }

  test("errors of load do not repeat a token", async () => {
    await assert.rejects(loadWith({ token: "secret" }), (error) => !error.message.includes("secret"));
  });

  for (const options of [
    { workers: 0 },
    { workers: 1 },
    { workers: 2 },
    { workers: "auto" },
    { device: "auto" },
    { dtype: undefined },
    { dtype: "auto" },
  ]) {
    test(`load accepts ${JSON.stringify(options)}`, loadWith(options));
  }

  test("load applies device and dtype", async () => {
    const f32 = await Reranker.load(url, { device: "cpu", dtype: "f32" });
    const q8 = await Reranker.load(url, { device: "cpu", dtype: "q8" });
    assert.equal(f32.info.backend.device, "cpu");
    assert.equal(f32.info.backend.dtype, "f32");
    assert.equal(q8.info.backend.dtype, "q8");
    f32.dispose();
    q8.dispose();
  });

  test("load applies maxLength", async () => {
    const long = [["a query", "word ".repeat(200)]];
    const whole = await Reranker.load(url);
    const short = await Reranker.load(url, { maxLength: 12 });
    assert.equal(short.info.maxLength, 12);
    assert.ok(whole.info.maxLength > 12);
    const { usage } = await short.rerank({ query: long[0][0], documents: [long[0][1]] });
    assert.equal(usage.tokens, 12);
    assert.notDeepEqual(await short.score(long), await whole.score(long));
    short.dispose();
    whole.dispose();
  });

  test("load calls onProgress with the bytes of each file", async () => {
    const last = new Map();
    const reranker = await Reranker.load(url, {
      onProgress: ({ stage, file, loaded, total }) => {
        assert.equal(stage, "download");
        last.set(file, { loaded, total });
      },
    });
    reranker.dispose();
    assert.ok(last.has("config.json") && last.has("tokenizer.json") && last.has("model.safetensors"), [...last.keys()].join());
    const existing = readdirSync(url);
    for (const [file, { loaded, total }] of last) {
      assert.equal(loaded, total, file);
      assert.equal(loaded > 0, existing.includes(file), `${file}: ${loaded} bytes`);
    }
  });

  test("load rejects with the error that onProgress throws", async () => {
    const thrown = new Error("mine");
    await assert.rejects(
      loadWith({
        onProgress: () => {
          throw thrown;
        },
      }),
      (error) => error === thrown,
    );
  });
});

describe("scoring", () => {
  let reranker;
  before(async () => (reranker = await Reranker.load(url)));
  after(() => reranker.dispose());
  const rerank = (options) => () => reranker.rerank({ query: "q", documents: ["a", "b", "c"], ...options });

  for (const call of ["rerank", "stream"]) {
    test(`${call} with the parameters of other libraries is refused with the right form`, () => {
      const message = new RegExp(`^${call}: the options must be an object, as in ${call}\\(\\{ query, documents \\}\\), not "q"$`);
      return rejectsWith("input", message, async () => {
        for await (const _ of await reranker[call]("q", ["a", "b"]));
      });
    });
  }

  const wrong = [
    [{ query: undefined }, /query must be a string, not undefined/],
    [{ query: ["q"] }, /query must be a string, not an array/],
    [{ documents: undefined }, /documents must be an array/],
    [{ documents: "a" }, /documents must be an array, not "a"/],
    [{ documents: ["a", 7] }, /documents\[1\] must be a string or an object/],
    [{ documents: ["a", null] }, /documents\[1\] .* not null/],
    [{ documents: ["a", { name: "b" }] }, /documents\[1\] has no string `text`.*rankFields/],
    [{ topN: 0 }, /topN must be a whole number of 1 or more/],
    [{ topN: -1 }, /topN must be/],
    [{ topN: NaN }, /topN must be/],
    [{ topN: "2" }, /topN must be/],
    [{ returnDocuments: "yes" }, /returnDocuments must be true or false/],
    [{ rankFields: "title" }, /rankFields must be an array/],
    [{ rankFields: [] }, /rankFields must name at least one field/],
    [{ rankFields: [1] }, /rankFields\[0\] must be a string/],
    [{ rankFields: ["title"] }, /documents\[0\] must be an object with the fields/],
    [{ scores: "logits" }, /scores must be "model" or "raw" or "sigmoid" or "probability", not "logits"/],
    [{ longDocuments: "split" }, /longDocuments must be/],
    [{ maxTokensPerDocument: 0 }, /maxTokensPerDocument must be/],
    [{ signal: "stop" }, /signal must be an AbortSignal/],
    [{ onProgress: {} }, /onProgress must be a function/],
  ];
  for (const [options, message] of wrong) {
    test(`rerank refuses the options ${JSON.stringify(options)}`, () => rejectsWith("input", message, rerank(options)));
  }

  test("rerank answers an instruction with the code unsupported", async () => {
    await rejectsWith("unsupported", /instruction is not available: .*query/, rerank({ instruction: "Judge." }));
  });

  test("rerank without options is an input error", () => rejectsWith("input", /query must be/, () => reranker.rerank()));

  test("rank and score refuse unknown options and wrong arguments", async () => {
    await rejectsWith("input", /unknown option "most".*topK/, () => reranker.rank("q", ["a"], { most: 1 }));
    await rejectsWith("input", /topK must be/, () => reranker.rank("q", ["a"], { topK: 0 }));
    await rejectsWith("input", /rank: query must be a string/, () => reranker.rank(undefined, ["a"]));
    await rejectsWith("input", /rank: documents must be an array/, () => reranker.rank("q"));
    await rejectsWith("input", /unknown option "topK"/, () => reranker.score([], { topK: 1 }));
    await rejectsWith("input", /pairs must be an array/, () => reranker.score("q"));
    await rejectsWith("input", /pairs\[1\] must be an array/, () => reranker.score([["q", "d"], "q"]));
    await rejectsWith("input", /pairs\[0\]\[1\], the document, must be a string, not undefined/, () => reranker.score([["q"]]));
    await rejectsWith("input", /pairs\[0\] must be \[query, document\]/, () => reranker.score([["q", "d", "x"]]));
  });

  test("the option scores selects the logit, its sigmoid or the model's activation", async () => {
    const pairs = [["How many people live in Berlin?", "Berlin has about three and a half million people."]];
    const [raw] = await reranker.score(pairs, { scores: "raw" });
    const [sigmoid] = await reranker.score(pairs, { scores: "sigmoid" });
    assertClose([sigmoid], [1 / (1 + Math.exp(-raw))], 1e-6, "sigmoid");
    assert.deepEqual(await reranker.score(pairs), await reranker.score(pairs, { scores: "model" }));
    assert.notEqual(raw, sigmoid);
    const { results } = await reranker.rerank({ query: pairs[0][0], documents: [pairs[0][1]], scores: "raw" });
    assert.equal(results[0].score, raw);
    const [ranked] = await reranker.rank(pairs[0][0], [pairs[0][1]], { scores: "raw" });
    assert.equal(ranked.score, raw);
  });

  test("an unknown activation stops only the model's own scores", async () => {
    const read = (name) => readFileSync(new URL(name, url));
    const config = JSON.parse(read("config.json"));
    const names = ["tokenizer.json", "tokenizer_config.json", "model.safetensors"];
    const files = Object.fromEntries(names.map((name) => [name, new Uint8Array(read(name))]));
    const load = (activation_fn) => {
      const named = JSON.stringify({ ...config, sentence_transformers: { activation_fn } });
      return Reranker.load({ ...files, "config.json": new TextEncoder().encode(named) }, { workers: 0 });
    };
    const known = await load("torch.nn.modules.linear.Identity");
    const unknown = await load("torch.nn.modules.activation.Tanhshrink");
    const pairs = [["a query", "a document"]];
    for (const scores of ["raw", "sigmoid"]) {
      assert.deepEqual(await unknown.score(pairs, { scores }), await known.score(pairs, { scores }));
    }
    await rejectsWith("unsupported", /Tanhshrink.*request them with `scores`/, () => unknown.score(pairs));
    await rejectsWith("unsupported", /Tanhshrink/, () => unknown.rank("a query", ["a document"]));
    known.dispose();
    unknown.dispose();
  });

  test("maxTokensPerDocument limits the tokens of each document", async () => {
    const documents = ["one two three four five six seven eight"];
    const whole = await reranker.rerank({ query: "q", documents });
    const cut = await reranker.rerank({ query: "q", documents, maxTokensPerDocument: 2 });
    assert.ok(cut.usage.tokens < whole.usage.tokens, `${cut.usage.tokens} < ${whole.usage.tokens}`);
  });

  test("onProgress gets the number of scored documents", async () => {
    const seen = [];
    await reranker.rerank({ query: "q", documents: Array(300).fill("some words"), onProgress: (progress) => seen.push(progress) });
    assert.ok(seen.every(({ stage, total }) => stage === "score" && total === 300));
    assert.ok(seen.every(({ done }, at) => Number.isInteger(done) && done > (seen[at - 1]?.done ?? 0)));
    assert.equal(seen.at(-1).done, 300);
  });

  test("an error of onProgress rejects its call and does not affect the next one", async () => {
    const thrown = new Error("mine");
    await assert.rejects(
      rerank({
        onProgress: () => {
          throw thrown;
        },
      }),
      (error) => error === thrown,
    );
    assert.equal((await reranker.rerank({ query: "q", documents: ["a"] })).results.length, 1);
  });
});

test("a maxTokensPerDocument above 32 bits does not limit anything", async () => {
  const reranker = await Reranker.load(url);
  const documents = ["a document of some words, more than one token"];
  const all = await reranker.rerank({ query: "q", documents });
  for (const maxTokensPerDocument of [2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    assert.deepEqual((await reranker.rerank({ query: "q", documents, maxTokensPerDocument })).results, all.results);
  }
  reranker.dispose();
});

test("the error of score names the missing element of a sparse array", async () => {
  const reranker = await Reranker.load(url);
  const sparse = new Array(2);
  sparse[1] = ["q", "d"];
  await rejectsWith("input", /pairs\[0\] must be an array, not undefined/, () => reranker.score(sparse));
  reranker.dispose();
});
