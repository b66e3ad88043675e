// The web page that `ranklet explain --html` writes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { expectNoViolation } from "../support/browsers/axe.js";
import { launchChromium } from "../support/browsers/chromium.js";
import { inRepository } from "../support/paths.js";

const query = "How long may I return a <purchase>?";
const document = "Our shop is in Berlin & open.\nYou may return a purchase within thirty days. שלום!";

describe("the page of an explanation", { timeout: 600_000 }, () => {
  let folder;
  let browser;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ranklet-explanation-"));
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true });
  });

  for (const unit of ["word", "sentence"]) {
    test(`axe finds no violation, in light and dark: ${unit}s`, async () => {
      const [text, html] = ["document.txt", "page.html"].map((name) => join(folder, name));
      writeFileSync(text, document);
      const options = ["--query", query, "--document", text, "--of", "both", "--unit", unit, "--html", html];
      execFileSync(inRepository("target/release/ranklet"), ["explain", ...options], {
        stdio: ["ignore", "ignore", "pipe"],
        timeout: 300_000,
      });
      const { href } = pathToFileURL(html);
      const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
      const requests = [];
      page.on("request", (request) => requests.push(request.url()));
      await page.goto(href);
      assert.deepEqual(await page.locator(".text").allInnerTexts(), [query, document]);
      await page.getByText("All contributions as a table").click();
      for (const [colorScheme, background] of Object.entries({ light: "rgb(255, 255, 255)", dark: "rgb(20, 24, 29)" })) {
        await page.emulateMedia({ colorScheme });
        assert.equal(await page.evaluate(() => getComputedStyle(globalThis.document.body).backgroundColor), background);
        await expectNoViolation(page, `${unit}s, ${colorScheme}`);
      }
      assert.equal(
        await page.evaluate(() => globalThis.document.documentElement.scrollWidth <= innerWidth),
        true,
        "no horizontal scrolling",
      );
      assert.deepEqual(requests, [href]);
      await page.close();
    });
  }
});
