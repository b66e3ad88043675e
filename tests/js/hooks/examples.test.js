// The examples of frameworks are built as they are, and used in a browser.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launchChromium, openDemo } from "../support/browsers/chromium.js";
import { frameworkProject } from "../support/package/framework-project.js";
import { serveFolder } from "../support/servers/folder.js";

const question = "How do I reset my password?";
const answer = "Open Settings, choose Account, then select Forgot password.";

let browser;
before(async () => (browser = await launchChromium()));
after(() => browser?.close());

for (const example of ["react", "vue", "svelte"]) {
  describe(`examples/${example}`, () => {
    let project;
    let server;
    before(async () => {
      project = frameworkProject(example);
      const { status, output } = project.run("vite", "build");
      assert.equal(status, 0, output);
      server = await serveFolder(join(project.folder, "dist"), {});
    });
    after(async () => {
      await server?.stop();
      project?.remove();
    });

    test("ranks again at each key press, without an error", async () => {
      const { page, problems, open } = await openDemo(browser, server.url);
      await page.route("**/favicon.ico", (route) => route.fulfill({ status: 204 }));
      await open();
      await page.locator("#query:enabled").waitFor();
      assert.equal(await page.locator("#results li").count(), 0);
      await page.locator("#query").pressSequentially(question);
      await page.waitForFunction(
        (answer) => document.querySelector("#results li:first-child")?.textContent.trim().endsWith(answer),
        answer,
      );
      await page.locator('#results[aria-busy="false"]').waitFor();
      assert.match(await page.locator("#results li").first().textContent(), /^\s*0\.\d{3} Open Settings/);
      assert.equal(await page.locator("#results li").count(), 3);
      await page.fill("#query", "");
      await page.waitForFunction(() => document.querySelectorAll("#results li").length === 0);
      assert.deepEqual(problems, []);
      await page.close();
    });
  });
}
