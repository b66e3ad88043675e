import assert from "node:assert/strict";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { rejectsWith } from "../support/assert.js";
import { id, model, scoresFrom, withHub } from "../support/models/hub-model.js";

const expected = await scoresFrom(model.url);
const context = withHub();
const variables = [
  "HF_ENDPOINT",
  "HF_TOKEN",
  "HUGGING_FACE_HUB_TOKEN",
  "HF_TOKEN_PATH",
  "HF_HOME",
  "HF_HUB_OFFLINE",
  "TRANSFORMERS_OFFLINE",
  "RANKLET_CACHE",
];
const token = "hf_SECRET";

/** Sets the environment for a test, without any of the variables but these. */
function setEnvironment(t, changes) {
  const before = { ...process.env };
  t.after(() => {
    for (const name of variables) delete process.env[name];
    Object.assign(process.env, before);
  });
  for (const name of variables) delete process.env[name];
  Object.assign(process.env, changes);
}

/** Loads the model by its id, with the server and the cache of the environment. */
const scores = (options) => scoresFrom(id, options);
const authorizations = () =>
  new Set(context.hub.requests.filter(({ origin }) => origin === "hub").map(({ authorization }) => authorization));

describe("the environment of Node", () => {
  test("HF_ENDPOINT is the server of Hub ids, unless baseUrl is given", async (t) => {
    setEnvironment(t, { HF_ENDPOINT: `${context.hub.url}/mirror` });
    assert.deepEqual(await scores({ cache: false }), expected);
    assert.ok(context.hub.requests[0].path.startsWith(`/mirror/${id}/`));
    context.hub.requests = [];
    assert.deepEqual(await scores({ cache: false, baseUrl: `${context.hub.url}/other` }), expected);
    assert.ok(context.hub.requests[0].path.startsWith(`/other/${id}/`));
  });

  test("an HF_ENDPOINT that is no URL is an error that names the variable", (t) => {
    setEnvironment(t, { HF_ENDPOINT: "huggingface.example" });
    return rejectsWith("input", /^the environment variable HF_ENDPOINT must be an http or https URL$/, () => scores());
  });

  const sources = {
    HF_TOKEN: () => ({ HF_TOKEN: `${token}\n`, HUGGING_FACE_HUB_TOKEN: "hf_OTHER" }),
    HUGGING_FACE_HUB_TOKEN: () => ({ HUGGING_FACE_HUB_TOKEN: token, HF_TOKEN: "" }),
    HF_TOKEN_PATH: () => ({ HF_TOKEN_PATH: join(context.cache, "token"), HF_HOME: join(context.cache, "nothing") }),
    HF_HOME: () => ({ HF_HOME: context.cache }),
  };
  for (const [name, changes] of Object.entries(sources)) {
    test(`${name} gives the token for HF_ENDPOINT`, async (t) => {
      writeFileSync(join(context.cache, "token"), `${token}\n`);
      setEnvironment(t, { HF_ENDPOINT: context.hub.url, ...changes() });
      context.hub.gated.add(id);
      context.hub.tokens.add(token);
      assert.deepEqual(await scores({ cache: false }), expected);
      assert.deepEqual(authorizations(), new Set([`Bearer ${token}`]));
    });
  }

  test("the option token precedes HF_TOKEN", async (t) => {
    setEnvironment(t, { HF_ENDPOINT: context.hub.url, HF_TOKEN: "hf_OTHER" });
    await scores({ cache: false, token });
    assert.deepEqual(authorizations(), new Set([`Bearer ${token}`]));
  });

  test("HF_TOKEN is not sent to another server that baseUrl names", async (t) => {
    for (const endpoint of [{}, { HF_ENDPOINT: "https://models.example" }, { HF_ENDPOINT: "no URL" }]) {
      setEnvironment(t, { HF_TOKEN: token, ...endpoint });
      await scores({ cache: false, baseUrl: context.hub.url });
      assert.deepEqual(authorizations(), new Set([undefined]));
    }
    setEnvironment(t, { HF_TOKEN: token, HF_ENDPOINT: context.hub.url });
    context.hub.requests = [];
    await scores({ cache: false, baseUrl: `${context.hub.url}/mirror` });
    assert.deepEqual(authorizations(), new Set([`Bearer ${token}`]));
  });

  test("errors name the source of a token and do not repeat it", async (t) => {
    context.hub.gated.add(id);
    setEnvironment(t, { HF_ENDPOINT: context.hub.url, HF_TOKEN: token });
    const names = async (message) => {
      await rejectsWith("network", message, () => scores({ cache: false }));
      await assert.rejects(scores({ cache: false }), (error) => !error.message.includes(token));
    };
    await names(/401 Unauthorized: the environment variable HF_TOKEN has no access to/);
    delete process.env.HF_TOKEN;
    await names(/needs an access token as the option token or in the environment variable HF_TOKEN/);
    process.env.HF_TOKEN = "hf SECRET";
    await assert.rejects(scores({ cache: false }), ({ code, message }) => {
      assert.match(message, /^the environment variable HF_TOKEN must be an access token/);
      assert.doesNotMatch(message, /SECRET/);
      return code === "input";
    });
  });

  test("HF_HOME contains the cache, unless RANKLET_CACHE or the option cache names another folder", async (t) => {
    const home = join(context.cache, "home");
    setEnvironment(t, { HF_ENDPOINT: context.hub.url, HF_HOME: home });
    assert.deepEqual(await scores(), expected);
    assert.equal(readdirSync(join(home, "ranklet")).length, 1);
    process.env.RANKLET_CACHE = join(context.cache, "own");
    assert.deepEqual(await scores(), expected);
    assert.equal(readdirSync(join(context.cache, "own")).length, 1);
    assert.deepEqual(readdirSync(home), ["ranklet"]);
  });

  for (const [name, value] of [
    ["HF_HUB_OFFLINE", "1"],
    ["HF_HUB_OFFLINE", "True"],
    ["TRANSFORMERS_OFFLINE", "YES"],
  ]) {
    test(`${name}=${value} loads from the cache only`, async (t) => {
      setEnvironment(t, { [name]: value, HF_ENDPOINT: context.hub.url, RANKLET_CACHE: context.cache });
      const message = new RegExp(
        `^"${id}" with the revision "main" is not in the cache and cannot be downloaded, because the environment variable ${name} is set`,
      );
      await rejectsWith("network", message, () => scores());
      assert.equal(context.hub.requests.length, 0);
      process.env[name] = "0";
      assert.deepEqual(await scores(), expected);
      process.env[name] = value;
      context.hub.requests = [];
      assert.deepEqual(await scores(), expected);
      assert.equal(context.hub.requests.length, 0);
    });
  }

  test("an environment that may not be read counts as empty", async (t) => {
    // As Deno without --allow-env.
    const { env } = process;
    t.after(() => Object.defineProperty(process, "env", { value: env, configurable: true, writable: true, enumerable: true }));
    // The cache is in the home folder, which Node finds without `process.env`.
    setEnvironment(t, { HOME: context.cache });
    const refuse = () => {
      throw new Error("Requires env access");
    };
    Object.defineProperty(process, "env", {
      value: new Proxy({}, { get: refuse, has: refuse, ownKeys: refuse }),
      configurable: true,
      writable: true,
    });
    assert.deepEqual(await scores({ baseUrl: context.hub.url }), expected);
    assert.equal(readdirSync(join(context.cache, ".cache", "ranklet")).length, 1);
  });
});

describe("localFilesOnly", () => {
  test("a model that is not in the cache is an error without a request, and one in the cache loads", async () => {
    const message =
      /^"some-org\/a\.model" with the revision "main" is not in the cache .*because the option localFilesOnly is set; load it once without/;
    await rejectsWith("network", message, () => context.scores({ localFilesOnly: true }));
    assert.equal(context.hub.requests.length, 0);
    await context.scores();
    assert.deepEqual(await context.offline({ localFilesOnly: true }), expected);
    assert.deepEqual(await context.offline({ local_files_only: true }), expected);
    await rejectsWith("network", /revision "v2" is not in the cache/, () => context.offline({ localFilesOnly: true, revision: "v2" }));
    await rejectsWith("network", /not in the cache/, () => context.offline({ localFilesOnly: true, cache: false }));
  });

  test("a damaged model in the cache is an error, and stays", async () => {
    await context.scores();
    const [folder] = readdirSync(context.cache);
    const entry = readdirSync(join(context.cache, folder)).find((name) => name !== "manifest.json");
    const config = join(context.cache, folder, entry, "config.json");
    writeFileSync(config, "x".repeat(statSync(config).size));
    await rejectsWith("config", /^the model's files in the cache are damaged: config\.json/, () =>
      context.offline({ localFilesOnly: true }),
    );
    assert.deepEqual(readdirSync(context.cache), [folder]);
    assert.deepEqual(await context.scores(), expected);
  });

  test("a model from a folder's URL loads from the cache, also without the option cache", async (t) => {
    setEnvironment(t, { RANKLET_CACHE: context.cache });
    const folder = `${context.hub.url}/${id}/resolve/main/`;
    await rejectsWith("network", /^http:.*\/resolve\/main\/ is not in the cache/, () => scoresFrom(folder, { localFilesOnly: true }));
    assert.deepEqual(await scoresFrom(folder, { cache: true }), expected);
    context.hub.down = true;
    assert.deepEqual(await scoresFrom(folder, { localFilesOnly: true }), expected);
  });

  test("local folders and files load, and files behind http URLs are an error", async () => {
    assert.deepEqual(await scoresFrom(model.url, { localFilesOnly: true }), expected);
    const names = readdirSync(model.url).filter((name) => /json$|safetensors$/.test(name) && name !== "expected.json");
    const files = Object.fromEntries(names.map((name) => [name, new URL(name, model.url)]));
    assert.equal((await scoresFrom({ ...files, "modules.json": undefined }, { localFilesOnly: true })).length, expected.length);
    const remote = { ...files, "config.json": new URL(`${context.hub.url}/config.json`) };
    await rejectsWith(
      "network",
      /^config\.json is not local: http:.* cannot be downloaded, because the option localFilesOnly is set$/,
      () => scoresFrom(remote, { localFilesOnly: true }),
    );
    assert.equal(context.hub.requests.length, 0);
  });
});
