// The user's own documents: pasted, chosen or dropped, and errors in them.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";

import { rank, screenshot, texts, watchTexts, whenRanked, whenReady, withDemo } from "../support/browsers/page.js";

const paris = "Paris is the capital of France and its largest city.";
const documents = ["Berlin is the capital of Germany.", paris, "The Eiffel Tower is located in Paris."];

describe("own documents on the demo page", () => {
  const suite = withDemo();
  let opened;
  beforeEach(async () => {
    opened = await suite.openPage();
    await opened.open();
    await whenReady(opened.page);
  });
  afterEach(async () => {
    assert.deepEqual(opened.problems, []);
    await opened.close();
  });

  test("pasted documents are ranked, and one click goes back to the bundled collection", async () => {
    const { page } = opened;
    await page.click("#choose-documents");
    await page.fill("#documents-text", documents.join("\n"));
    await screenshot(page, "documents-dialog");
    await page.getByRole("button", { name: "Use these documents" }).click();
    assert.equal(await page.textContent("#documents-size"), "3 passages");
    await rank(page, "What is the capital of France?");
    assert.equal((await texts(page, "ranklet-list"))[0], paris);
    assert.equal((await texts(page, "ranklet-list")).length, 3, "few documents are ranked all");
    await page.waitForTimeout(500);
    await screenshot(page, "own-documents");
    await page.getByRole("button", { name: "Back to the bundled collection" }).click();
    assert.equal(await page.textContent("#documents-size"), "156 passages");
    await whenRanked(page);
    assert.ok(!(await texts(page, "ranklet-list")).includes(paris));
  });

  test("if keywords find nothing, all documents are ranked, and the page says so", async () => {
    const { page } = opened;
    await page.click("#choose-documents");
    await page.fill("#documents-text", documents.join("\n"));
    await page.getByRole("button", { name: "Use these documents" }).click();
    const statuses = await watchTexts(page, "status-text");
    await page.fill("#query", "xyzzy");
    await whenRanked(page);
    assert.match((await statuses())[0], /^No passage contains these words, so all 3 are ranked/);
    assert.equal((await texts(page, "keyword-list")).length, 0);
    assert.equal((await texts(page, "ranklet-list")).length, 3);
  });

  const files = {
    "a.txt": documents.join("\r\n"),
    "a.json": JSON.stringify([documents[0], { text: documents[1], id: 7 }, { text: documents[2] }]),
    "a.jsonl": documents.map((text) => JSON.stringify({ text })).join("\n"),
  };
  test("documents are read from chosen and dropped files", async () => {
    const { page } = opened;
    for (const [name, content] of Object.entries(files)) {
      await page.click("#choose-documents");
      await page.setInputFiles("#documents-file", { name, mimeType: "text/plain", buffer: Buffer.from(content) });
      await page.locator("#documents-name", { hasText: name }).waitFor();
      assert.equal(await page.textContent("#documents-size"), "3 passages", name);
    }
    await drop(page, "dropped.jsonl", files["a.jsonl"]);
    await page.locator("#documents-name", { hasText: "dropped.jsonl" }).waitFor();
    await rank(page, "What is the capital of France?");
    assert.equal((await texts(page, "ranklet-list"))[0], paris);
  });

  test("of two files that are dropped, the last one is used, however long reading takes", async () => {
    const { page } = opened;
    await page.evaluate(() => {
      const { text } = Blob.prototype;
      const held = new Promise((resolve) => (globalThis.release = resolve));
      Blob.prototype.text = async function () {
        if (this.name === "slow.txt") await held;
        return text.call(this);
      };
    });
    await drop(page, "slow.txt", "one\ntwo\nthree");
    await drop(page, "fast.txt", "one\ntwo");
    await page.locator("#documents-name", { hasText: "fast.txt" }).waitFor();
    await page.evaluate(() => release());
    await page.waitForTimeout(300);
    assert.equal(await page.textContent("#documents-name"), "fast.txt");
  });

  test("a file that is dropped on a file field is left to the field", async () => {
    const { page } = opened;
    await page.click("#choose-model");
    assert.equal(await drop(page, "a.txt", "one\ntwo", "#model-files"), true);
    assert.equal(await page.isVisible("#drop-overlay"), false);
    await page.waitForTimeout(300);
    assert.equal(await page.textContent("#documents-size"), "156 passages");
  });

  const wrong = [
    ["bad.json", '["a", 7]', /^Item 2 must be a string or an object with a "text" field\.$/],
    ["bad.json", '["a",', /^This is not valid JSON: /],
    ["bad.json", '{"text": "a"}', /^The JSON must be an array/],
    ["bad.jsonl", '{"text": "a"}\n\n{"text": ', /^Line 3 is not valid JSON: /],
    ["bad.jsonl", '{"text": "a"}\n{"text": " "}', /^Line 2 has an empty text\.$/],
    ["large.txt", "a".repeat(13_000_000), /^The file has 13\.0 MB; the maximum is 12\.0 MB\. Use fewer documents\.$/],
    ["empty.txt", "\n \n", /^There are no documents\./],
    ["many.txt", "a\n".repeat(2001), /^There are 2,001 documents; the maximum is 2,000\.$/],
    ["picture.png", "x", /^picture\.png is not a \.txt, \.json or \.jsonl file/],
  ];
  test("wrong documents are refused with their position, and the page keeps the previous documents", async () => {
    const { page } = opened;
    for (const [name, content, message] of wrong) {
      await drop(page, name, content);
      await page.locator("#documents-error", { hasText: message }).waitFor();
      await page.getByRole("button", { name: "Close" }).click();
    }
    assert.equal(await page.textContent("#documents-size"), "156 passages");
    await rank(page, "Why do astronauts float?");
  });
});

/** Drops a file onto an element, as a user would. Returns whether the drop is left to the browser. */
function drop(page, name, content, selector = "main") {
  return page.evaluate(
    ([fileName, text, selector]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], fileName));
      return ["dragenter", "dragover", "drop"]
        .map((type) =>
          document.querySelector(selector).dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true })),
        )
        .at(-1);
    },
    [name, content, selector],
  );
}
