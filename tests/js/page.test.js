import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launchChromium, openDemo, startDemo } from "./support/chromium.js";
import { inRepository } from "./support/paths.js";

const pictures = inRepository(".build/screenshots");
const screens = {
  desktop: { viewport: { width: 1200, height: 800 }, colorScheme: "light" },
  dark: { viewport: { width: 1200, height: 800 }, colorScheme: "dark" },
  phone: { viewport: { width: 375, height: 812 }, deviceScaleFactor: 2, colorScheme: "light" },
};

describe("the demo page", () => {
  let demo;
  let browser;
  before(async () => {
    mkdirSync(pictures, { recursive: true });
    demo = await startDemo();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  for (const [name, options] of Object.entries(screens)) {
    test(`loads, ranks and fits the screen: ${name}`, async () => {
      const { page, problems, open } = await openDemo(browser, demo.url, options);
      await open();
      await page.getByText("Ready.").waitFor();
      await page.screenshot({ path: join(pictures, `${name}-loaded.png`), fullPage: true });
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await page.getByText("Ranked 4 documents.").waitFor();
      await page.screenshot({ path: join(pictures, `${name}-ranked.png`), fullPage: true });
      assert.equal(await page.locator("#results li").count(), 4);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, "nothing to scroll sideways");
      assert.deepEqual(problems, []);
      await page.close();
    });
  }

  test("says what failed, and works once it can", async () => {
    const { page, open } = await openDemo(browser, demo.url, screens.desktop);
    await page.route("**/model.safetensors", (route) => route.fulfill({ status: 503 }));
    await open();
    await page.getByRole("alert").waitFor();
    assert.match(await page.textContent("#error"), /\(network\).*model\.safetensors answered 503/);
    await page.screenshot({ path: join(pictures, "desktop-failed.png"), fullPage: true });
    await page.unroute("**/model.safetensors");
    await page.click("#rank");
    await page.getByText("Ranked 4 documents.").waitFor();
    assert.equal(await page.isVisible("#error"), false);
    await page.close();
  });

  test("cancels a ranking and ranks again", async () => {
    const { page, problems, open } = await openDemo(browser, demo.url, screens.desktop);
    await open();
    await page.getByText("Ready.").waitFor();
    assert.equal(await page.isDisabled("#cancel"), true);
    const many = Array(1000).fill("A document that is long enough to take a while.").join("\n");
    // Not page.fill, which takes seconds for so long a text.
    await page.locator("#documents").evaluate((field, text) => (field.value = text), many);
    await page.click("#rank");
    await page.click("#cancel");
    await page.getByText("Cancelled.").waitFor();
    await page.fill("#documents", "one");
    await page.click("#rank");
    await page.getByText("Ranked 1 document.").waitFor();
    assert.deepEqual(problems, []);
    await page.close();
  });
});
