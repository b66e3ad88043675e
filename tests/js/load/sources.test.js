import assert from "node:assert/strict";
import { openAsBlob, readdirSync, readFileSync } from "node:fs";
import { relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { checkpoint } from "../support/models/fixtures.js";
import { dist } from "../support/paths.js";
import { listen } from "../support/servers/listen.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { url, expected } = checkpoint((labels) => labels === 1);
const folder = fileURLToPath(url);
const pairs = expected.pairs.slice(0, 3);

/** The bytes of the checkpoint's files by name. */
function files() {
  const names = readdirSync(url).filter((name) => name.endsWith("json") || name.endsWith("safetensors"));
  return Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(new URL(name, url)))]));
}

async function scoresOf(source, options) {
  const reranker = await Reranker.load(source, options);
  const scores = await reranker.score(pairs);
  reranker.dispose();
  return scores;
}

describe("a model in the file system", () => {
  test("a model loads from a folder as a URL object, a file: URL and a path", async () => {
    const scores = await scoresOf(url);
    const relativePath = `./${relative(process.cwd(), folder)}`;
    for (const source of [url.href, url.href.replace(/\/$/, ""), folder, folder.replace(/\/$/, ""), relativePath]) {
      assert.deepEqual(await scoresOf(source), scores, source);
    }
  });

  test("the error for a folder that does not exist names the first required file", async () => {
    await rejectsWith("config", /config\.json is missing: there is no file:.*nowhere/, () => Reranker.load("./nowhere"));
  });
});

describe("a model's files", () => {
  test("files of a model may be Uint8Arrays, Buffers, ArrayBuffers, Blobs and URLs", async () => {
    const scores = await scoresOf(url);
    const made = {
      uint8Array: (bytes) => bytes,
      buffer: (bytes) => Buffer.from(bytes),
      arrayBuffer: (bytes) => bytes.slice().buffer,
      blob: (bytes) => new Blob([bytes]),
      file: (bytes) => new File([bytes], "file"),
      dataUrl: (bytes) => new URL(`data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`),
    };
    for (const [name, make] of Object.entries(made)) {
      const source = Object.fromEntries(Object.entries(files()).map(([file, bytes]) => [file, make(bytes)]));
      assert.deepEqual(await scoresOf(source), scores, name);
    }
    const onDisk = Object.fromEntries(
      await Promise.all(Object.keys(files()).map(async (file) => [file, await openAsBlob(new URL(file, url))])),
    );
    for (const workers of [0, 1, 2]) assert.deepEqual(await scoresOf(onDisk, { workers }), scores, `Blobs of files, ${workers} workers`);
    const urls = Object.fromEntries(Object.keys(files()).map((file) => [file, new URL(file, url)]));
    assert.deepEqual(await scoresOf(urls), scores, "file URLs");
  });

  test("loading neither changes nor detaches the caller's bytes", async () => {
    const given = files();
    await scoresOf(given);
    assert.deepEqual(given, files());
  });

  for (const [name, code] of [
    ["config.json", "config"],
    ["tokenizer.json", "tokenizer"],
    ["model.safetensors", "weights"],
  ]) {
    test(`a model without ${name} is refused with the code ${code}`, async () => {
      const { [name]: _, ...rest } = files();
      await rejectsWith(code, new RegExp(`^${name} is missing`), () => Reranker.load(rest));
      await rejectsWith("input", new RegExp(`${name} must be a Uint8Array`), () => Reranker.load({ ...rest, [name]: "text" }));
    });

    test(`a model with a damaged ${name} is refused with the code ${code}`, async () => {
      for (const bytes of [new Uint8Array(0), new TextEncoder().encode("{"), files()[name].slice(0, -9)]) {
        await assert.rejects(Reranker.load({ ...files(), [name]: bytes }), { name: "RankletError", code });
      }
    });
  }

  test("a file's URL with a password is refused without repeating it, and the error for a broken data: URL names the file", async () => {
    await assert.rejects(Reranker.load({ ...files(), "config.json": new URL("https://user:secret@host.example/config.json") }), (error) => {
      assert.equal(error.code, "input");
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
    await rejectsWith("config", /config\.json cannot be read/, () => Reranker.load({ ...files(), "config.json": new URL("data:,%") }));
  });

  test("a file that is given as a URL must exist, even if it is optional", async () => {
    const source = { ...files(), "modules.json": new URL("no-modules.json", url) };
    await rejectsWith("config", /modules\.json is missing/, () => Reranker.load(source));
  });
});

describe("wrong sources", () => {
  const ids = ["name", "org/", "a/b/c", "org/na me", "org/..", "org/a..b", ".org/name", "org/name\n", "org/name?x", "örg/name"];
  for (const source of [null, 7, [], "", "ftp://a/b", "https://", "C:\\models", ...ids]) {
    test(`load refuses ${JSON.stringify(source)} as an input error`, () => rejectsWith("input", /load: /, () => Reranker.load(source)));
  }

  const advised = [
    ["default", /"default" is not the name of a model; load\(\) loads the default model/],
    ["small", /load\("ranklet\/small"\) the small one/],
    ["https://huggingface.co/org/name", /"https:\/\/huggingface\.co\/org\/name" is not the name of a model; pass "org\/name"$/],
    [new URL("https://huggingface.co/org/name/"), /pass "org\/name"$/],
    ["https://huggingface.co/org/name/tree/v1.0", /pass "org\/name" and the option revision: "v1\.0"$/],
    ["hf.co/org/name", /pass "org\/name"$/],
    ["hf://org/name", /pass "org\/name"$/],
    ["hf:org/name", /pass "org\/name"$/],
    ["org/name@refs/pr/1", /pass "org\/name" and the option revision: "refs\/pr\/1"$/],
    ["org/name/", /pass "org\/name" \(a path starts with "\.\/"\)$/],
    ["ms-marco-MiniLM-L6-v2", /neither a Hub id such as "org\/name", nor/],
  ];
  for (const [source, message] of advised) {
    test(`the error for the model ${source} says what to pass instead`, () =>
      rejectsWith("input", message, () => Reranker.load(source, { baseUrl: "http://127.0.0.1:1" })));
  }

  test("the error for a path without a dot, which is read as a Hub id, says so if it may not be requested", async () => {
    await rejectsWith("network", /"models\/none" .* is not in the cache .*\(a path starts with "\.\/"\)$/, () =>
      Reranker.load("models/none", { localFilesOnly: true }),
    );
  });

  for (const options of [{ dtype: "q8" }, { workers: 0, max_length: 64 }, { quantized: true }]) {
    const [name] = Object.keys(options);
    const message = new RegExp(`options are the second argument, as in load\\(undefined, \\{ ${name}: … \\}\\)$`);
    test(`load refuses the options ${JSON.stringify(options)} as a model, and says where they belong`, async () => {
      await rejectsWith("input", message, () => Reranker.load(options));
      await rejectsWith("input", message, () => Reranker.downloadSize(options));
    });
  }

  test("an object with other names is the files of a model", async () => {
    for (const source of [{}, { dtype: "q8", "tokenizer.json": new Uint8Array() }]) {
      await rejectsWith("config", /config\.json is missing/, () => Reranker.load(source));
    }
  });

  for (const source of ["https://user:secret@models.example/a/", new URL("ftp://models.example/a/"), new URL("data:,a")]) {
    test(`load refuses the URL ${source} as an input error`, () =>
      rejectsWith("input", /load: a folder's URL/, () => Reranker.load(source)));
  }
});

test("ranklet/default is the name of the default model", async () => {
  const pair = [["a query", "a document"]];
  const [named, unnamed] = await Promise.all([Reranker.load("ranklet/default", { workers: 0 }), Reranker.load(undefined, { workers: 0 })]);
  assert.deepEqual(await named.score(pair), await unnamed.score(pair));
  named.dispose();
  unnamed.dispose();
});

describe("options for another kind of source", () => {
  const options = [{ revision: "main" }, { baseUrl: "https://models.example/" }, { token: "secret" }];
  for (const [what, source] of [
    ["a folder", url],
    ["an http folder", "http://127.0.0.1:1/"],
    ["files", files()],
    ["the default model", undefined],
    ["the default model by its name", "ranklet/default"],
  ]) {
    for (const option of options) {
      const [name] = Object.keys(option);
      const message = new RegExp(`load: ${name} is only for a Hub id`);
      test(`load refuses the option ${name} for ${what} as an input error`, () =>
        rejectsWith("input", message, () => Reranker.load(source, option)));
    }
    if (what === "an http folder") continue;
    for (const cache of [true, "somewhere"]) {
      const message = /load: cache is for a Hub id or a folder's http URL/;
      test(`load refuses the option cache: ${cache} for ${what} as an input error`, () =>
        rejectsWith("input", message, () => Reranker.load(source, { cache })));
    }
  }

  test("load accepts cache: false for a folder", async () => assert.deepEqual(await scoresOf(url, { cache: false }), await scoresOf(url)));
});

describe("options for a Hub", () => {
  const load = (options) => () => Reranker.load("org/name", { cache: false, baseUrl: "http://127.0.0.1:1", ...options });
  for (const revision of ["", "..", ".", "a/../b", "a b", "a\n", "\ud800"]) {
    test(`load refuses the revision ${JSON.stringify(revision)}`, () =>
      rejectsWith("input", /revision must be the name of a branch/, load({ revision })));
  }
  for (const baseUrl of ["", "hub", "/hub", "ftp://a/", "file:///models/", "https://a/?b", "https://a/#b", "https://user:secret@a/"]) {
    test(`load refuses the baseUrl ${JSON.stringify(baseUrl)}`, () =>
      assert.rejects(load({ baseUrl }), ({ code, message }) => {
        assert.match(message, /load: baseUrl must be an http or https URL/);
        assert.doesNotMatch(message, /secret/);
        return code === "input";
      }));
  }
  for (const token of ["", "sec ret", "secret\n", "sécret", ["secret"]]) {
    test(`load refuses the token ${JSON.stringify(token)} and does not repeat it`, () =>
      assert.rejects(load({ token }), ({ code, message }) => {
        assert.match(message, /load: token must be an access token/);
        assert.doesNotMatch(message, /s[eé]c/);
        return code === "input";
      }));
  }
});

describe("a model behind http", () => {
  let server;
  let base;
  const answers = new Map();
  before(async () => {
    server = await listen((request, response) => {
      const [, kind, name] = /^\/(\w+)\/(.*)$/.exec(request.url) ?? [];
      answers.get(kind)(name, response);
    });
    base = server.url;
  });
  after(() => server.stop());

  const serve = (name, response, otherwise) => {
    const bytes = files()[name];
    if (bytes === undefined || name === "sentence_bert_config.json") return otherwise(response);
    response.setHeader("content-length", bytes.length);
    response.end(bytes);
  };
  const status =
    (code, type = "text/plain") =>
    (response) =>
      response.writeHead(code, { "content-type": type }).end("no");

  test("a model loads from the http URL of a folder, with or without a slash at the end, and progress events count its bytes", async () => {
    answers.set("good", (name, response) => serve(name, response, status(404)));
    const scores = await scoresOf(url);
    const last = new Map();
    let all;
    const onProgress = ({ file, loaded, total, overall }) => {
      if (total > 0) last.set(file, { loaded, total });
      all = overall;
    };
    assert.deepEqual(await scoresOf(`${base}/good/`, { onProgress }), scores);
    assert.deepEqual(await scoresOf(new URL(`${base}/good`)), scores);
    assert.ok(last.has("model.safetensors"));
    for (const [name, { length }] of Object.entries(files())) {
      if (last.has(name)) assert.deepEqual(last.get(name), { loaded: length, total: length }, name);
    }
    const sum = [...last.values()].reduce((bytes, { total }) => bytes + total, 0);
    assert.deepEqual(all, { loaded: sum, total: sum });
  });

  test("an optional file counts as missing if the server answers with an HTML page", async () => {
    answers.set("spa", (name, response) => serve(name, response, status(200, "text/html; charset=utf-8")));
    assert.deepEqual(await scoresOf(`${base}/spa/`), await scoresOf(url));
  });

  test("an optional file with another status than 404 is a network error that has the status", async () => {
    answers.set("forbidden", (name, response) => serve(name, response, status(403)));
    await rejectsWith("network", /\/forbidden\/\S+ answered 403 Forbidden/, () => Reranker.load(`${base}/forbidden/`));
  });

  test("a required file that is missing, breaks off or cannot be reached is a network error", async () => {
    answers.set("empty", (_name, response) => status(404)(response));
    await rejectsWith("network", /is missing: http\S+ answered 404/, () => Reranker.load(`${base}/empty/`));
    answers.set("broken", (_name, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("half");
      setTimeout(() => response.destroy(), 20);
    });
    await rejectsWith("network", /\/broken\/\S+ broke off/, () => Reranker.load(`${base}/broken/`));
    await rejectsWith("network", /could not be fetched/, () => Reranker.load("http://127.0.0.1:1/"));
  });

  test("an abort stops the download", async () => {
    const closed = new Promise((resolve) =>
      answers.set("slow", (_name, response) => {
        response.writeHead(200);
        response.write("{");
        response.on("close", resolve);
      }),
    );
    const controller = new AbortController();
    const loading = Reranker.load(`${base}/slow/`, { signal: controller.signal, onProgress: () => controller.abort("enough") });
    await assert.rejects(loading, { code: "aborted", cause: "enough" });
    await closed;
  });

  test("load refuses the URL of a folder with a query, because it cannot apply to the files", () =>
    rejectsWith("input", /has a query or fragment/, () => Reranker.load(`${base}/good/?key=1`)));
});

describe("the class that load is called on", () => {
  class Own extends Reranker {}
  const { load } = Reranker;
  const { load: loadOfSubclass } = Own;
  const calls = {
    "without a class": [() => load(url), Reranker],
    "as a method of another object": [() => ({ load }).load(url), Reranker],
    "as a callback": [() => Promise.resolve(url).then(load), Reranker],
    "on a subclass": [() => Own.load(url), Own],
    "without a class, from a subclass": [() => loadOfSubclass(url), Reranker],
  };
  for (const [how, [call, expectedClass]] of Object.entries(calls)) {
    test(`load works ${how}`, async () => {
      const reranker = await call();
      assert.equal(reranker.constructor, expectedClass);
      assert.ok(reranker instanceof Reranker);
      assert.equal(reranker.constructor.name, expectedClass === Own ? "Own" : "Reranker");
      assert.deepEqual(await reranker.score(pairs), await scoresOf(url));
      reranker.dispose();
    });
  }

  for (const args of [[], ["org/name"], [{ dtype: "q8" }]]) {
    test(`new Reranker(${JSON.stringify(args).slice(1, -1)}) is refused, with the right call`, () => {
      const message = /^new Reranker\(\) loads no model; use await Reranker\.load\(…\)$/;
      for (const Class of [Reranker, Own]) assert.throws(() => new Class(...args), { name: "RankletError", code: "input", message });
    });
  }
});
