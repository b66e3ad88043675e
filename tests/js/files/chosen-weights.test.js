// The option `weights`, which chooses one of the forms of weights that a model has.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { id, scoresFrom, withHub } from "../support/models/hub-model.js";
import { filesIn } from "../support/servers/hub.js";

const fixtures = new URL("../../fixtures/", import.meta.url);
const bin = "pytorch_model.bin";
const [encoder, other] = ["bert-bare-h36", "bert-no-token-types-h36"].map((name) => filesIn(new URL(`${name}/`, fixtures)));
/** A model with safetensors, the same weights of torch under two names, and safetensors that are not its own. */
const files = new Map([
  ...encoder,
  ["a.fp32.bin", readFileSync(new URL(`weights/bin-f32/${bin}`, fixtures))],
  [bin, readFileSync(new URL(`weights/bin-f32/${bin}`, fixtures))],
  ["model.safetensors", other.get("model.safetensors")],
]);
const expected = await scoresFrom(Object.fromEntries(encoder));

const folder = mkdtempSync(join(tmpdir(), "ranklet-weights-"));
after(() => rmSync(folder, { recursive: true }));
for (const [name, bytes] of files) writeFileSync(join(folder, name), bytes);

const context = withHub();
const requested = () =>
  context.hub.requests.map(({ path }) => path.split("/").at(-1)).filter((name) => /\.(bin|safetensors|onnx)$/.test(name));

/** Loads from the files, the folder, a Hub, a Hub that lists its files, and a folder's URL. */
async function fromEverywhere(check) {
  context.hub.publish(id, files);
  await check("files", (options) => scoresFrom(Object.fromEntries(files), options));
  await check("a folder", (options) => scoresFrom(pathToFileURL(folder), options));
  await check("a Hub", (options) => context.scores({ cache: false, ...options }));
  context.hub.lists = true;
  await check("a Hub with a list", (options) => context.scores({ cache: false, ...options }));
  await check("a folder's URL", (options) => scoresFrom(`${context.hub.url}/${id}/resolve/main/`, options));
}

describe("the option weights", () => {
  test("chooses a file of the model, of every source, on this thread and in a worker", async () => {
    for (const weights of [bin, "a.fp32.bin"]) {
      for (const workers of [0, 1]) {
        await fromEverywhere(async (source, scores) =>
          assert.deepEqual(await scores({ weights, workers }), expected, `${weights}, ${source}`),
        );
      }
    }
  });

  test("no other weights are requested", async () => {
    context.hub.publish(id, files);
    for (const lists of [false, true]) {
      context.hub.lists = lists;
      context.hub.requests = [];
      await context.scores({ weights: bin, cache: false });
      assert.deepEqual(requested(), [bin]);
    }
  });

  test("each choice is cached by itself", async () => {
    context.hub.publish(id, files);
    assert.deepEqual(await context.scores({ weights: bin }), expected);
    await rejectsWith("network", /^"some-org\/a\.model" with the revision "main" is not in the cache/, () =>
      context.offline({ localFilesOnly: true }),
    );
    const message = /^"some-org\/a\.model" with the revision "main" with the weights "a\.fp32\.bin" is not in the cache/;
    await rejectsWith("network", message, () => context.offline({ localFilesOnly: true, weights: "a.fp32.bin" }));
    context.hub.publish(id, encoder);
    assert.deepEqual(await context.scores(), expected);
    for (const weights of [bin, undefined]) assert.deepEqual(await context.offline({ weights }), expected);
    assert.equal(readdirSync(context.cache).length, 2);
  });

  test("a file that the model does not have is an error that lists those it has", async () => {
    const present = /^the model has no onnx\/model\.onnx, which was chosen as its weights; it has model\.safetensors, pytorch_model\.bin$/;
    await fromEverywhere((_, scores) => rejectsWith("weights", present, () => scores({ weights: "onnx/model.onnx" })));
    await fromEverywhere((_, scores) =>
      rejectsWith("weights", /it has model\.safetensors/, () => scores({ weights: "model.safetensors.index.json" })),
    );
  });

  test("a limit of memory counts the chosen file", async () => {
    context.hub.publish(id, new Map([...files, ["big.safetensors", Buffer.alloc(3e6)]]));
    context.hub.requests = [];
    await rejectsWith("out-of-memory", /weights alone/, () =>
      context.scores({ weights: "big.safetensors", maxMemoryBytes: 2e6, cache: false }),
    );
  });

  test("progress names the chosen file", async () => {
    context.hub.publish(id, files);
    const names = new Set();
    await context.scores({ weights: bin, onProgress: ({ file, loaded }) => void (loaded > 0 && names.add(file)) });
    assert.ok(names.has(bin) && !names.has("model.safetensors"), [...names].join());
  });

  for (const weights of [
    "config.json",
    "../model.safetensors",
    "a/b/model.onnx",
    "/model.onnx",
    "model.gguf",
    "",
    "model.onnx_data",
    "a\\model.onnx",
  ]) {
    test(`${JSON.stringify(weights)} is no name of weights, and nothing is requested`, async () => {
      await rejectsWith("input", /^load: weights: .* is not the name of a file of weights.*onnx\/model_quantized\.onnx/, () =>
        context.scores({ weights }),
      );
      assert.equal(context.hub.requests.length + context.hub.listings.length, 0);
    });
  }

  test("must be a string", () =>
    rejectsWith("input", /^load: weights must be the name of a file, not 7/, () => context.scores({ weights: 7 })));
});
