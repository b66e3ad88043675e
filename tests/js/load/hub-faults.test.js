// Everything that a server can do wrong, file by file: a clear error or the right scores, nothing wrong in the cache
// afterwards, and a good load after it.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";

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

const needed = { "config.json": "config", "tokenizer.json": "tokenizer", "model.safetensors": "weights" };
const optional = { "tokenizer_config.json": "tokenizer", "sentence_bert_config.json": "config", "modules.json": "config" };
const every = { ...needed, ...optional };

/** How a load ends: with the scores of the folder, or with a code and a message. Functions are given the file's code. */
const right = () => "scores";
const network = (message) => () => ({ codes: ["network"], message });
const refused = (code) => ({ codes: [code], message: /./ });
const broken = network(/(broke off|ended after \d+ of \d+ bytes)/);

const cases = [
  [needed, "status 404", faults.status(404), network(/is missing: http\S+ answered 404; check the id .* and the revision "main"/)],
  [every, "status 403", faults.status(403), network(/answered 403 Forbidden: .*private or gated/)],
  [every, "status 500", faults.status(500), network(/answered 500 Internal Server Error$/)],
  [every, "status 204", faults.status(204), network(/answered 204 No Content$/)],
  [every, "a page of HTML", faults.page, network(/answered with a page of HTML instead of the file/)],
  [every, "nothing", faults.empty, refused],
  [every, "half, then the connection is cut", faults.cut, broken],
  [every, "half without a length, then the connection is cut", faults.cutWithoutLength, broken],
  [every, "fewer bytes than announced", faults.lengthTooLong, broken],
  [every, "a length that cuts it short", faults.lengthTooShort, refused],
  [every, "a linked size that is too long", faults.linkedSizeTooLong, network(/ended after \d+ of \d+ bytes; try again/)],
  [every, "a linked size that is too short", faults.linkedSizeTooShort, network(/has \d+ bytes instead of the \d+/)],
  [every, "drop by drop", faults.drip, right],
  [every, "compressed", faults.gzip, right],
  [every, "from elsewhere", faults.redirect, right],
  [every, "redirected in circles", faults.redirectInCircles, network(/could not be fetched/)],
  [{ "tokenizer.json": "", "modules.json": "" }, "of another commit", faults.otherCommit, () => ({ codes: ["integrity"], message: /try again/ })],
];

for (const [names, what, fault, outcome] of cases) {
  for (const [name, code] of Object.entries(names)) {
    test(`${name}: ${what}`, async () => {
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
        assert.deepEqual(readdirSync(context.cache), [], "nothing is in the cache");
        context.hub.faults.clear();
        assert.deepEqual(await context.scores(), expected, "a later load is good");
      }
      assert.deepEqual(await context.offline(), expected, "and kept");
    });
  }
}

for (const [name, scores] of Object.entries(without)) {
  test(`${name}, which is optional: status 404`, async () => {
    context.hub.faults.set(name, faults.status(404));
    assert.deepEqual(await context.scores(), scores);
    assert.deepEqual(await context.offline(), scores);
  });
}

for (const name of Object.keys(every)) {
  test(`${name}: a stall, ended by the signal`, async () => {
    const stalled = new Promise((resolve) => context.hub.faults.set(name, (exchange) => {
      faults.stall(exchange);
      resolve(exchange.response);
    }));
    const controller = new AbortController();
    const loading = context.scores({ signal: controller.signal });
    const response = await stalled;
    const closed = new Promise((resolve) => response.on("close", resolve));
    controller.abort("enough");
    await assert.rejects(loading, { name: "RankletError", code: "aborted", cause: "enough" });
    await closed;
    assert.deepEqual(readdirSync(context.cache), [], "nothing is in the cache");
  });
}

test("a file that grows when it is compressed is whole", async () => {
  context.hub.publish(id, new Map([...files, ["sentence_bert_config.json", Buffer.from("{}")]]));
  context.hub.faults.set("sentence_bert_config.json", faults.gzip);
  await context.scores();
  await context.offline();
});

test("a runtime that does not notice the end of a body is noticed", async (t) => {
  const { fetch } = globalThis;
  t.mock.method(globalThis, "fetch", async (url, init) => {
    const response = await fetch(url, init);
    if (!url.pathname.endsWith("tokenizer.json")) return response;
    return new Response(new Uint8Array(await response.arrayBuffer()).slice(0, -1), response);
  });
  await assert.rejects(context.scores(), { code: "network", message: /tokenizer\.json ended after \d+ of \d+ bytes; try again/ });
});
