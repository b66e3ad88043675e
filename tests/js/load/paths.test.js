import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { rejectsWith } from "../support/assert.js";
import { model, scoresFrom } from "../support/models/hub-model.js";
import { dist } from "../support/paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { folderUrl, isWindowsPath } = await import(new URL("platform/node-paths.js", dist));
const windows = { windows: true };

describe("paths of Windows", () => {
  const urls = {
    "C:\\models\\reranker": "file:///C:/models/reranker/",
    "C:/models/reranker": "file:///C:/models/reranker/",
    "c:\\models\\a b#?%": "file:///c:/models/a%20b%23%3F%25/",
    "C:\\": "file:///C:/",
    "\\\\server\\share\\reranker": "file://server/share/reranker/",
    "\\\\server\\share\\": "file://server/share/",
  };
  for (const [path, url] of Object.entries(urls)) {
    test(`${path} is the folder ${url}`, () => {
      assert.ok(isWindowsPath(path, windows));
      assert.equal(folderUrl(path, windows).href, url);
    });
  }

  test("a relative path with backslashes is a path", () => {
    for (const path of [".\\reranker", "..\\reranker", "models\\reranker", "\\models\\reranker"]) {
      assert.ok(isWindowsPath(path, windows), path);
      assert.match(folderUrl(path, windows).href, /^file:\/\/\/.*reranker\/$/);
    }
  });

  for (const text of ["org/name", "https://models.example/a\\b", "file:///C:/models", "C:", "C:models", "name", ""]) {
    test(`${JSON.stringify(text)} is no path of Windows`, () => assert.ok(!isWindowsPath(text, windows)));
  }

  test("load takes them on Windows only", async (t) => {
    const platform = Object.getOwnPropertyDescriptor(process, "platform");
    t.after(() => Object.defineProperty(process, "platform", platform));
    const paths = ["C:\\no\\reranker", "C:/no/reranker", ".\\no\\reranker", "..\\no\\reranker", "\\\\server\\no\\reranker"];
    Object.defineProperty(process, "platform", { ...platform, value: "win32" });
    for (const path of paths) await rejectsWith("config", /^\w+\.json (is missing|cannot be read)/, () => Reranker.load(path));
    Object.defineProperty(process, "platform", { ...platform, value: "linux" });
    for (const path of paths) await rejectsWith("input", /neither a Hub id/, () => Reranker.load(path));
  });
});

describe("paths and file: URLs", () => {
  test("paths of other systems are resolved against the working directory", () => {
    const rules = { windows: false };
    assert.ok(!isWindowsPath("C:\\models", rules));
    assert.equal(folderUrl("/", rules).href, "file:///");
    assert.equal(folderUrl("/models/a b", rules).href, "file:///models/a%20b/");
    assert.equal(folderUrl("./models", rules).href, pathToFileURL(`${process.cwd()}/models/`).href);
  });

  test("a file: URL may have one slash or three, and an upper-case scheme", async () => {
    const expected = await scoresFrom(model.url);
    for (const url of [model.url.href, model.url.href.replace("file:///", "file:/"), model.url.href.replace("file:", "FILE:")]) {
      assert.deepEqual(await scoresFrom(url), expected, url);
    }
  });

  test("a file: URL without a slash is refused, because it is no absolute path", () =>
    rejectsWith("input", /neither a Hub id/, () => Reranker.load("file:models/reranker")));
});
