// Fresh projects of frameworks that follow docs/bundlers.md: in development, and built and run as in production.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { launchChromium } from "../support/browsers/chromium.js";
import { filesOf } from "../support/files.js";
import { installPacked } from "../support/package/packed.js";
import { serveFolder } from "../support/servers/folder.js";
import { unlessLong } from "../support/skips.js";
import { frameworks } from "./frameworks.js";
import { bestDocument, createProject } from "./project.js";

const minutes = 60_000;

describe("fresh projects", { skip: unlessLong("installs the tools") }, () => {
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

      if (framework.line !== undefined) {
        test("without the line of docs/bundlers.md, an error says what to do", async () => {
          const error = await project.buildWithoutLine().then(
            () => answersOf(framework.serve),
            ({ message }) => ({ build: message }),
          );
          for (const text of Object.values(error)) assert.match(text, framework.line.error);
        });
      }

      if (framework.dev !== undefined) {
        test("its development server ranks", async () => {
          project.write();
          await assertAnswers(framework.dev, { isDevelopment: true });
        });
      }

      test("its production build ranks", async () => {
        project.write();
        await project.build();
        await assertAnswers(framework.serve);
      });

      if (framework.alone !== undefined) {
        const { files, command, error } = framework.alone;
        const outcome = error === undefined ? "ranks" : "gives an error that says what to do";
        test(`its output alone, without the project's node_modules, ${outcome}`, async () => {
          const elsewhere = project.copy(files);
          try {
            const { [""]: _, ...routes } = await answersOf(command, { from: elsewhere });
            assert.notDeepEqual(routes, {});
            for (const [path, text] of Object.entries(routes)) {
              if (error === undefined) assert.equal(text, bestDocument, `/${path}`);
              else assert.match(text, error);
            }
          } finally {
            elsewhere.remove();
          }
        });
      }

      test("a production build that loads its own model ranks and does not have the default one", async () => {
        await project.buildOwn(`${models.url}default/`);
        await assertAnswers(framework.serve);
        const files = framework.output.flatMap((folder) => filesOf(join(project.folder, folder)));
        assert.ok(files.length > 0);
        assert.deepEqual(
          files.filter(({ path, bytes }) => bytes > 5_000_000 || path.endsWith(".safetensors")).map(({ path }) => path),
          [],
        );
      });

      async function assertAnswers(command, options) {
        for (const [path, text] of Object.entries(await answersOf(command, options))) assert.equal(text, bestDocument, `/${path}`);
      }

      /**
       * Serves the project and returns the texts of its pages and routes. In development, Vite reloads the first page once it has
       * found all packages, so a page is visited again, and the frameworks' own tools cause errors, which do not count.
       */
      async function answersOf(command, { isDevelopment = false, from = project } = {}) {
        const visits = isDevelopment ? 3 : 1;
        const server = await from.serve(command);
        try {
          const { pages = [], routes = [] } = framework;
          const answers = {};
          for (const path of routes)
            answers[path] = textOf(await (await fetch(server.url + path, { signal: AbortSignal.timeout(2 * minutes) })).text());
          for (const path of pages) {
            for (let visit = 1; visit <= visits && answers[path] !== bestDocument; visit++) {
              const { text, errors } = await visitPage(server.url + path);
              answers[path] = isDevelopment && text === bestDocument ? text : [text, ...errors].join("\n");
            }
          }
          return answers;
        } finally {
          await server.stop();
        }
      }
    });
  }

  /** Returns what a page shows when it has ranked, and its errors. */
  async function visitPage(url) {
    const page = await browser.newPage();
    try {
      const errors = [];
      page.on("pageerror", (error) => errors.push(String(error)));
      await page.goto(url, { timeout: 2 * minutes });
      const text = await page
        .locator("#best:not(:empty)")
        .textContent({ timeout: minutes / 2 })
        .catch((error) => String(error));
      return { text, errors };
    } finally {
      await page.close();
    }
  }
});

/** Returns the text of an answer: of a page of HTML, the element `best`. */
function textOf(answer) {
  return /<p id="best"[^>]*>(.*?)<\/p>/s.exec(answer)?.[1] ?? answer;
}
