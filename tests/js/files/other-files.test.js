// Files that are not what their names say, models in other formats, and paths that are no folder of a model: each is refused
// with the file's name and with what to do, as in the native program.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { files, id, model, pairs, scoresFrom, withHub } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";
import { filesIn } from "../support/servers/hub.js";
import { listen } from "../support/servers/listen.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { listFolder } = await import(new URL("platform/node-folder.js", dist));
const { maxListedFiles } = await import(new URL("model/model-files.js", dist));

const expected = await scoresFrom(model.url);
const encoder = filesIn(new URL("../../fixtures/bert-bare-h36/", import.meta.url));
const index = "model.safetensors.index.json";
const context = withHub();

let folder;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "ranklet-other-"))));
afterEach(() => rmSync(folder, { recursive: true }));

function write(published, root = folder) {
  for (const [name, bytes] of published) {
    mkdirSync(join(root, dirname(name)), { recursive: true });
    writeFileSync(join(root, name), bytes);
  }
}

/** Loads files as an object, from a folder and from a Hub, and checks that each is refused. */
async function refusesEverywhere(published, code, message) {
  await rejectsWith(code, message, () => scoresFrom(Object.fromEntries(published)));
  write(published);
  await rejectsWith(code, message, () => scoresFrom(pathToFileURL(`${folder}/`)));
  context.hub.publish(id, published);
  context.hub.lists = true;
  await rejectsWith(code, message, () => context.scores());
}

describe("files that are not what their names say", () => {
  const pointer = Buffer.from("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n");
  const page = Buffer.from("\n<!DOCTYPE html><title>Sign in</title>");
  const names = {
    "config.json": "config",
    "tokenizer.json": "tokenizer",
    "tokenizer_config.json": "tokenizer",
    "modules.json": "config",
    "model.safetensors": "weights",
    [index]: "weights",
    "pytorch_model.bin": "weights",
    "adapter_config.json": "config",
  };
  for (const [name, code] of Object.entries(names)) {
    const others = new Map([...encoder].filter(([other]) => other !== "model.safetensors" || code !== "weights"));
    test(`a page in place of ${name} is refused`, () =>
      refusesEverywhere(
        new Map([...others, [name, page]]),
        code,
        new RegExp(`^${name.replaceAll(".", "\\.")} is an HTML page, not the file itself: .*download the file again`),
      ));
    if (name === "adapter_config.json") continue;
    test(`a Git LFS pointer in place of ${name} is refused`, () =>
      refusesEverywhere(
        new Map([...others, [name, pointer]]),
        code,
        new RegExp(`^${name.replaceAll(".", "\\.")} is a Git LFS pointer, not the file itself: run \`git lfs pull\``),
      ));
  }

  for (const type of ["text/html", "application/json", undefined]) {
    test(`a server that answers index.html (${type}) for what it does not have serves a model`, async (t) => {
      const server = await listen((request, response) => {
        const bytes = encoder.get(request.url.slice("/model/".length));
        const headers = bytes === undefined && type !== undefined ? { "content-type": type } : {};
        response.writeHead(200, headers).end(bytes ?? "<!doctype html><script src=/main.js></script>");
      });
      t.after(() => server.stop());
      const scores = await scoresFrom(`${server.url}/model/`);
      assert.deepEqual(scores, await scoresFrom(Object.fromEntries(encoder)));
    });
  }
});

describe("weights in other formats", () => {
  const card = ["README.md", Buffer.from("---\nlicense: mit\nbase_model:\n- org/original\n---\n# A model\n")];
  const small = [...encoder].filter(([name]) => name !== "model.safetensors");
  const formats = {
    "model.Q4_K_M.gguf": "GGUF weights, which are not read",
    "tf_model.h5": "TensorFlow weights, which are not read",
    "flax_model.msgpack": "Flax weights, which are not read",
    "openvino/openvino_model.bin": "OpenVINO weights, which are not read",
    "openvino_model.bin": "OpenVINO weights, which are not read",
    "onnx/model_O4.onnx": "ONNX weights under another name: choose the file by `weights`, or",
  };
  for (const [name, format] of Object.entries(formats)) {
    test(`${name} is named with the model that it was made from`, async () => {
      const message = new RegExp(`${name.replaceAll(".", "\\.")} has ${format}.* load the model that they were made from, org/original$`);
      await refusesEverywhere(new Map([...small, [name, Buffer.from("x")], card]), "weights", message);
      // Repositories of GGUF often have nothing else.
      await refusesEverywhere(new Map([[name, Buffer.from("x")], card]), "weights", message);
    });
  }

  test("config.json names the origin if the card does not", async () => {
    const config = Buffer.from(JSON.stringify({ ...JSON.parse(encoder.get("config.json")), _name_or_path: "org/trained" }));
    await refusesEverywhere(
      new Map([...small, ["config.json", config], ["tf_model.h5", Buffer.from("x")]]),
      "weights",
      /made from, org\/trained$/,
    );
  });

  test("without an origin, the error says where to look, and the weights themselves are not downloaded", async () => {
    const published = new Map([...small, ["model.gguf", Buffer.from("x")]]);
    await refusesEverywhere(published, "weights", /GGUF weights, which are not read: .*README\.md/);
    assert.ok(!context.hub.requests.some(({ path }) => path.endsWith(".gguf")));
    assert.equal((await scoresFrom({ ...Object.fromEntries(encoder), "model.gguf": Buffer.from("x") })).length, pairs.length);
  });

  test("a folder with many other files, one of them such weights, is read at its own weights", async () => {
    const others = Array.from({ length: maxListedFiles }, (_, at) => `other-${at}.txt`);
    const url = pathToFileURL(`${folder}/`);
    for (const name of ["model.gguf", ...others.slice(0, 1500)]) writeFileSync(join(folder, name), "");
    write(files);
    const listed = [...files.keys(), "model.gguf", ...others.slice(0, 1500)];
    assert.deepEqual([...listFolder(url).files].sort(), listed.sort());
    assert.deepEqual(await scoresFrom(url), expected);
    mkdirSync(join(folder, "nested"));
    for (const name of others.slice(1500)) writeFileSync(join(folder, "nested", name), "");
    assert.equal(listFolder(url).files, undefined, "too many files in a folder of the folder");
    assert.deepEqual(await scoresFrom(url), expected);
    for (const name of others.slice(1500)) renameSync(join(folder, "nested", name), join(folder, name));
    assert.equal(listFolder(url).files, undefined, "too many files");
    assert.deepEqual(await scoresFrom(url), expected);
  });
});

describe("paths in Node", () => {
  test("a folder of Hugging Face's cache is read at the snapshot of its main branch", async () => {
    const cached = join(folder, "models--org--name");
    const snapshots = join(cached, "snapshots");
    mkdirSync(snapshots, { recursive: true });
    await rejectsWith("input", /models--org--name is a folder of Hugging Face's cache.*download the model again$/, () =>
      scoresFrom(`${cached}/`),
    );
    for (const commit of ["0a1b", "2c3d"]) write(commit === "2c3d" ? files : [["x", ""]], join(snapshots, commit));
    await rejectsWith("input", /names no snapshot in it: load one of its snapshots: .*snapshots\/0a1b, .*snapshots\/2c3d$/, () =>
      scoresFrom(cached),
    );
    mkdirSync(join(cached, "refs"));
    for (const main of ["2c3d", "2c3d\n"]) {
      writeFileSync(join(cached, "refs", "main"), main);
      for (const path of [cached, `${cached}/`, snapshots, join(snapshots, "2c3d")]) assert.deepEqual(await scoresFrom(path), expected);
    }
    for (const main of ["../2c3d", "ffff"]) {
      writeFileSync(join(cached, "refs", "main"), main);
      await rejectsWith("input", /names no snapshot in it/, () => scoresFrom(cached));
    }
    await rejectsWith(
      "input",
      /is Hugging Face's cache of several models: give the id of one, "owner\/name", or its folder, such as .*models--org--name$/,
      () => scoresFrom(folder),
    );
  });

  test("a file is no folder of a model", async () => {
    write(files);
    await rejectsWith("input", /model\.safetensors is a file: give the folder that has all files of the model/, () =>
      scoresFrom(join(folder, "model.safetensors")),
    );
  });

  describe("a path that has the form of a Hub id", () => {
    const before = process.cwd();
    beforeEach(() => {
      process.chdir(folder);
      cpSync(fileURLToPath(model.url), join(folder, id), { recursive: true });
    });
    afterEach(() => process.chdir(before));

    test("is named in the error if the Hub does not have the model", async () => {
      const load = (source) => scoresFrom(source, { baseUrl: context.hub.url, cache: false });
      context.hub.faults.set("config.json", ({ response }) => response.writeHead(404).end());
      await rejectsWith(
        "network",
        /check the id .*; there is a "\.\/some-org\/a\.model" here too: to load that folder, give the path with "\.\/"$/,
        () => load(id),
      );
      assert.deepEqual(await scoresFrom(`./${id}`), expected);
      renameSync(join(folder, id), join(folder, "elsewhere"));
      await rejectsWith("network", /\(a path starts with "\.\/"\)$/, () => load(id));
    });

    test("is named in a warning if the Hub has the model", async () => {
      const reranker = await Reranker.load(id, { baseUrl: context.hub.url, cache: false, workers: 0 });
      assert.deepEqual(reranker.info.warnings, [
        'there is a "./some-org/a.model" here too; the model was loaded from the Hub, because a path starts with "./"',
      ]);
      assert.ok(Object.isFrozen(reranker.info) && Object.isFrozen(reranker.info.warnings));
      reranker.dispose();
    });
  });
});
