// Faults of a server, for each file: loading gives a clear error or the right scores, the cache holds no wrong file, and the
// next load succeeds.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { files, id, model, scoresFrom, withHub } from "../support/models/hub-model.js";
import { faults } from "../support/servers/hub.js";

const expected = await scoresFrom(model.url);
const without = Object.fromEntries(
  await Promise.all(
    ["sentence_bert_config.json", "modules.json"].map(async (name) => {
      const rest = Object.fromEntries([...files].filter(([other]) => other !== name));
      return [name, await scoresFrom(rest)];
    }),
  ),
);
const context = withHub();

const required = { "config.json": "config", "tokenizer.json": "tokenizer", "model.safetensors": "weights" };
const optional = { "tokenizer_config.json": "tokenizer", "sentence_bert_config.json": "config", "modules.json": "config" };
const allFiles = { ...required, ...optional };

/** Outcomes of a load: the scores, or an error code and a message. The functions get the error code of the file. */
const right = () => "scores";
const network = (message) => () => ({ codes: ["network"], message });
const refused = (code) => ({ codes: [code], message: /./ });
const broken = network(/(broke off|ended after \d+ of \d+ bytes)/);

const cases = [
  [required, "status 404", faults.status(404), network(/is missing: http\S+ answered 404; check the id .* and the revision "main"/)],
  [allFiles, "status 403", faults.status(403), network(/answered 403 Forbidden: .*private or gated/)],
  [allFiles, "status 500", faults.status(500), network(/answered 500 Internal Server Error$/)],
  [allFiles, "status 204", faults.status(204), network(/answered 204 No Content$/)],
  [allFiles, "an HTML page", faults.page, network(/answered with a page of HTML instead of the file/)],
  [allFiles, "an empty body", faults.empty, refused],
  [allFiles, "half of the bytes, then a cut connection", faults.cut, broken],
  [allFiles, "half of the bytes without content-length, then a cut connection", faults.cutWithoutLength, broken],
  [allFiles, "fewer bytes than content-length", faults.lengthTooLong, broken],
  [allFiles, "content-length too small", faults.lengthTooShort, refused],
  [allFiles, "linked size too large", faults.linkedSizeTooLong, network(/ended after \d+ of \d+ bytes; try again/)],
  [allFiles, "linked size too small", faults.linkedSizeTooShort, network(/has more than the \d+ bytes that the server announced/)],
  [allFiles, "small pieces", faults.drip, right],
  [allFiles, "compression", faults.gzip, right],
  [allFiles, "a redirect to another host", faults.redirect, right],
  [allFiles, "endless redirects", faults.redirectInCircles, network(/was redirected more than 10 times/)],
  [
    { "tokenizer.json": "", "modules.json": "" },
    "another commit",
    faults.otherCommit,
    () => ({ codes: ["integrity"], message: /try again/ }),
  ],
];

for (const [names, what, fault, outcome] of cases) {
  for (const [name, code] of Object.entries(names)) {
    test(`a server that answers ${name} with the fault "${what}" leads to a clear error or the right scores, and to no wrong file in the cache`, async () => {
      context.hub.faults.set(name, fault);
      const ending = outcome(code);
      if (ending === "scores") {
        assert.deepEqual(await context.scores(), expected);
      } else {
        await assert.rejects(context.scores(), (error) => {
          assert.equal(error.name, "RankletError", error.stack);
          assert.ok(ending.codes.includes(error.code), `${error.code}: ${error.message}`);
          assert.match(error.message, ending.message);
          return true;
        });
        assert.deepEqual(context.models(), [], "no model is cached");
        context.hub.faults.clear();
        assert.deepEqual(await context.scores(), expected, "a later load is good");
      }
      assert.deepEqual(await context.offline(), expected, "from the cache");
    });
  }
}

for (const [name, scores] of Object.entries(without)) {
  test(`a model without the optional ${name} loads, and its cache knows that the file is missing`, async () => {
    context.hub.faults.set(name, faults.status(404));
    assert.deepEqual(await context.scores(), scores);
    assert.deepEqual(await context.offline(), scores);
  });
}

const stalls = Object.keys(allFiles).map((name) => [name, name, {}]);
// As in `fetch: (url) => env.ASSETS.fetch(url)`. The signal must then close the connection in another way.
stalls.push(["model.safetensors, with a fetch that takes no signal", "model.safetensors", { fetch: (url) => fetch(url) }]);
for (const [what, name, options] of stalls) {
  test(`the signal ends a stalled download of ${what}, and nothing is cached`, { timeout: 120_000 }, async () => {
    const stalled = new Promise((resolve) =>
      context.hub.faults.set(name, (exchange) => {
        faults.stall(exchange);
        resolve(exchange.response);
      }),
    );
    const controller = new AbortController();
    const loading = context.scores({ signal: controller.signal, ...options });
    const response = await stalled;
    const closed = new Promise((resolve) => response.on("close", resolve));
    controller.abort("enough");
    await assert.rejects(loading, { name: "RankletError", code: "aborted", cause: "enough" });
    await closed;
    assert.deepEqual(context.models(), [], "no model is cached");
  });
}

test("a file that compression makes longer is loaded and cached", async () => {
  context.hub.publish(id, new Map([...files, ["sentence_bert_config.json", Buffer.from("{}")]]));
  context.hub.faults.set("sentence_bert_config.json", faults.gzip);
  await context.scores();
  await context.offline();
});

test("a body that ends early is an error even if the runtime's fetch does not report it", async (t) => {
  const { fetch } = globalThis;
  t.mock.method(globalThis, "fetch", async (url, init) => {
    const response = await fetch(url, init);
    if (!url.pathname.endsWith("tokenizer.json")) return response;
    return new Response(new Uint8Array(await response.arrayBuffer()).slice(0, -1), response);
  });
  await assert.rejects(context.scores(), { code: "network", message: /tokenizer\.json ended after \d+ of \d+ bytes; try again/ });
});

describe("a body without an end", () => {
  /** Answers one file with a body that ends only when it is cancelled, or after 80 MB. */
  const endless = (name, headers) => {
    const state = { sent: 0 };
    const piece = new Uint8Array(2 ** 20);
    const pull = (stream) => {
      state.sent += piece.length;
      if (state.sent > 80e6) stream.close();
      else stream.enqueue(piece);
    };
    state.fetch = async (url, init) =>
      url.pathname.endsWith(name) ? new Response(new ReadableStream({ pull }), { headers }) : fetch(url, init);
    return state;
  };

  test("ends as soon as more than the announced bytes have arrived", async () => {
    const state = endless("tokenizer.json", { "x-linked-size": 1000 });
    await assert.rejects(context.scores({ fetch: state.fetch }), { code: "network", message: /has more than the 1000 bytes/ });
    assert.ok(state.sent < 5e6, `${state.sent} bytes were sent`);
  });

  test("ends at the limit of files other than weights, also of an index and of a given file", async () => {
    const message = /has more than 67108864 bytes, which \S+ may have/;
    for (const name of ["config.json", "model.safetensors.index.json"]) {
      const weights = name === "config.json" ? undefined : name;
      const { fetch } = endless(name);
      await assert.rejects(context.scores({ fetch, weights, cache: false }), { code: "network", message });
    }
    const given = { ...Object.fromEntries(files), "tokenizer.json": "https://models.example/tokenizer.json" };
    await assert.rejects(scoresFrom(given, { fetch: endless("tokenizer.json").fetch }), { code: "network", message });
  });

  test("ends when weights without a length exceed maxMemoryBytes", async () => {
    const url = "https://models.example/model.safetensors";
    for (const source of [id, { ...Object.fromEntries(files), "model.safetensors": url }]) {
      const state = endless("model.safetensors");
      const options = { fetch: state.fetch, maxMemoryBytes: 3e6, dtype: "f32" };
      const loading = source === id ? context.scores(options) : scoresFrom(source, options);
      await assert.rejects(loading, { code: "out-of-memory", message: /weights alone would take at least/ });
      assert.ok(state.sent < 10e6, `${state.sent} bytes were sent`);
    }
  });
});
