// The files that make a model. The Rust tests run the same table of cases (src/checkpoint/model_layout.rs).
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { id, scoresFrom, withHub } from "../support/models/hub-model.js";
import { filesIn } from "../support/servers/hub.js";

const fixtures = new URL("../../fixtures/", import.meta.url);
const cases = JSON.parse(readFileSync(new URL("model_files_cases.json", fixtures)));
const encoder = filesIn(new URL("bert-bare-h36/", fixtures));
const context = withHub();

/** The files of a case. Files without content in the table have that of the encoder, or one byte. */
function filesOf({ listing, contents = {} }) {
  const contentOf = (name) => {
    const content = contents[name];
    if (content === undefined) return encoder.get(name) ?? Buffer.from("x");
    return Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
  };
  return new Map(listing.map((name) => [name, contentOf(name)]));
}

/** The names of all files that were requested from the Hub. */
const requested = () =>
  new Set(context.hub.requests.filter(({ origin }) => origin === "hub").map(({ path }) => /resolve\/[^/]+\/(.*)/.exec(path)[1]));

describe("the files that are read of a model", () => {
  assert.ok(cases.length > 25);

  for (const model of cases.filter(({ wanted }) => wanted !== undefined)) {
    test(`${model.name}: the requested files are those that the table names`, async () => {
      context.hub.publish(id, filesOf(model));
      await context.scores({ weights: model.weights }).catch(() => {}); // Not every case is a model that loads.
      const names = requested();
      assert.deepEqual(model.listing.filter((name) => names.has(name)).sort(), model.wanted);
    });

    test(`${model.name}: no other files are requested from a Hub that lists its files`, async () => {
      context.hub.publish(id, filesOf(model));
      context.hub.lists = true;
      await context.scores({ weights: model.weights }).catch(() => {});
      assert.deepEqual([...requested()].sort(), model.wanted);
      assert.equal(context.hub.listings.length, 1);
    });
  }

  for (const model of cases.filter(({ error }) => error !== undefined)) {
    test(`${model.name}: the files are refused with the error that the table names`, () =>
      assert.rejects(scoresFrom(Object.fromEntries(filesOf(model)), { weights: model.weights }), ({ code, message }) => {
        assert.equal(code, model.error.code, message);
        for (const words of model.error.mentions) assert.ok(message.includes(words), `${message} does not mention ${words}`);
        return true;
      }));
  }
});

/** Loads files as an object, from a folder and from a Hub, and checks that each is refused. */
async function refusesEverywhere(files, code, message) {
  await rejectsWith(code, message, () => scoresFrom(Object.fromEntries(files)));
  const folder = mkdtempSync(join(tmpdir(), "ranklet-files-"));
  try {
    for (const [name, content] of files) writeFileSync(join(folder, name), content);
    await rejectsWith(code, message, () => scoresFrom(pathToFileURL(`${folder}/`)));
  } finally {
    rmSync(folder, { recursive: true });
  }
  context.hub.publish(id, files);
  await rejectsWith(code, message, () => context.scores());
}

test("an encoder with a separate chat template is refused, as in the native program", async () => {
  const files = new Map([...encoder, ["chat_template.jinja", Buffer.from("{{ messages }}")]]);
  await refusesEverywhere(files, "unsupported", /the tokenizer has a chat template/);
});

test("a PEFT adapter is refused with advice, with or without a config.json", async () => {
  const advice = /^adapter_config\.json: the weights are a PEFT adapter; merge it into its model/;
  const adapter = [
    ["adapter_config.json", Buffer.from("{}")],
    ["adapter_model.safetensors", Buffer.from("x")],
  ];
  await refusesEverywhere(new Map(adapter), "unsupported", advice);
  await refusesEverywhere(new Map([...encoder, ...adapter]), "unsupported", advice);
});
