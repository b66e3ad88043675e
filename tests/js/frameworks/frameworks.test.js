// Fresh projects of frameworks that follow docs/bundlers.md: in development, and built and run as in production.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { skipUnlessLong } from "../support/package/tools.js";
import { serveFolder } from "../support/servers/folder.js";
import { frameworks } from "./frameworks.js";
import { bestDocument, createProject } from "./project.js";

const minutes = 60_000;

describe("fresh projects", { skip: skipUnlessLong }, () => {
  let packed;
  let models;
  let browser;
  before(async () => {
    packed = installPacked();
    const assets = join(packed.folder, "node_modules/ranklet/dist/assets");
    models = await serveFolder(assets, { "access-control-allow-origin": "*" });
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await models?.stop();
    packed?.remove();
  });

  for (const [name, framework] of Object.entries(frameworks)) {
    describe(name, { timeout: 20 * minutes }, () => {
      let project;
      before(async () => (project = await createProject(framework, packed.tarball)), { timeout: 10 * minutes });
      after(() => project?.remove());

      if (framework.dev !== undefined) {
        test("its development server ranks", async () => {
          project.writeRank();
          await assertAnswers(framework.dev, bestDocument);
        });
      }

      test("its production build ranks", async () => {
        project.writeRank();
        await project.run(framework.build);
        await assertAnswers(framework.serve, bestDocument);
      });

      test("a production build that loads its own model ranks and does not have the default one", async () => {
        project.writeRank(`${models.url}default/`);
        await project.run(framework.build);
        await assertAnswers(framework.serve, bestDocument);
        const files = framework.output.flatMap((folder) => filesOf(join(project.folder, folder)));
        assert.ok(files.length > 0);
        assert.deepEqual(files.filter(({ path, bytes }) => bytes > 5_000_000 || path.endsWith(".safetensors")).map(({ path }) => path), []);
      });

      if (framework.alone !== undefined) {
        test("its output alone, without node_modules, gives an error that says what to do", async () => {
          const { files, command, error } = framework.alone;
          project.writeRank();
          await project.run(framework.build);
          const elsewhere = project.copy(files);
          const server = await elsewhere.serve(command);
          try {
            for (const path of framework.routes) assert.match(textOf(await (await fetch(server.url + path)).text()), error);
          } finally {
            await server.stop();
            elsewhere.remove();
          }
        });
      }

      /** Serves the project and asserts what its pages and routes show. */
      async function assertAnswers(command, expected) {
        const server = await project.serve(command);
        try {
          const answers = {};
          for (const path of framework.routes ?? []) answers[path] = textOf(await (await fetch(server.url + path)).text());
          for (const path of framework.pages ?? []) answers[path] = await pageText(server.url + path);
          assert.deepEqual(answers, Object.fromEntries(Object.keys(answers).map((path) => [path, expected])), server.output?.());
        } finally {
          await server.stop();
        }
      }
    });
  }

  /** Returns what a page shows when it has ranked. */
  async function pageText(url) {
    const page = await browser.newPage();
    try {
      const errors = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(url, { timeout: 2 * minutes });
      const text = await page.locator("#best:not(:empty)").textContent({ timeout: minutes }).catch((error) => String(error));
      return [text, ...errors].join("\n");
    } finally {
      await page.close();
    }
  }
});

/** Returns the text of an answer: of a page of HTML, the element `best`. */
function textOf(answer) {
  return /<p id="best"[^>]*>(.*?)<\/p>/s.exec(answer)?.[1] ?? answer;
}
