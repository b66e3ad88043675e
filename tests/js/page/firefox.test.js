import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { launchFirefox } from "../support/browsers/firefox.js";
import { withDemo } from "../support/browsers/page.js";

describe("the demo page in Firefox", () => {
  const suite = withDemo(launchFirefox);

  test("in Firefox, the page loads the model and ranks without a policy violation", async () => {
    const page = await suite.browser.newPage();
    page.setDefaultTimeout(120_000);
    const problems = [];
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warn"].includes(message.type())) problems.push(message.text());
    });
    await page.goto(suite.demo.url);
    await page.evaluate(() => {
      globalThis.violations = [];
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
        violations.push(`${violatedDirective} ${blockedURI}`),
      );
    });
    await page.waitForFunction(() => document.getElementById("status-text").textContent.startsWith("Ready: "));
    await page.type("#query", "How do crooks get people's passwords by email?");
    await page.waitForSelector('[data-ranking-state="final"]');
    const first = await page.$eval("#ranklet-list .text", ({ textContent }) => textContent);
    assert.match(first, /password/i);
    assert.equal(await page.$eval("#rank-change-lines", ({ childElementCount }) => childElementCount >= 10), true);
    assert.equal(await page.$eval("#requests-after-load", ({ textContent }) => textContent), "0");
    assert.deepEqual(await page.evaluate(() => violations), []);
    assert.deepEqual(problems, []);
  });
});
