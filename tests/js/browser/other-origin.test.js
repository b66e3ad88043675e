// The package from another origin, such as a CDN.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../support/browsers/chromium.js";
import { read } from "../support/docs/markdown.js";
import { dist } from "../support/paths.js";
import { serveFolder } from "../support/servers/folder.js";

describe("the package from another origin", () => {
  let cdn;
  let folder;
  let browser;
  before(async () => {
    cdn = await serveFolder(fileURLToPath(dist), { "access-control-allow-origin": "*" });
    folder = mkdtempSync(join(tmpdir(), "ranklet-origin-"));
    writeFileSync(join(folder, "index.html"), "<!doctype html><title>blank</title>");
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await cdn?.stop();
    rmSync(folder, { recursive: true });
  });

  /** Loads and ranks in a page with these headers. */
  async function load(headers, options) {
    const site = await serveFolder(folder, headers);
    const page = await browser.newPage();
    try {
      await page.goto(site.url);
      return await page.evaluate(
        async ([url, options]) => {
          const { Reranker } = await import(`${url}index.js`);
          try {
            const reranker = await Reranker.load(undefined, options);
            const ranked = await reranker.rank("capital of France", ["Berlin", "Paris is the capital of France."]);
            const { backend, warnings } = reranker.info;
            reranker.dispose();
            return { best: ranked[0].corpus_id, workers: backend.workers, warnings };
          } catch ({ code, message }) {
            return { code, message };
          }
        },
        [cdn.url, options],
      );
    } finally {
      await page.close();
      await site.stop();
    }
  }

  test("scores in workers", async () => {
    const { best, workers, warnings } = await load({});
    assert.deepEqual([best, warnings], [1, []]);
    assert.ok(workers > 0);
  });

  const policy = (workers) => ({ "content-security-policy": `script-src 'self' ${cdn.url} 'wasm-unsafe-eval'; worker-src ${workers}` });

  test("scores in workers under a policy that allows them", async () => {
    assert.ok((await load(policy("blob:"))).workers > 0);
  });

  test("scores on the page's thread with a warning, if the policy forbids workers", async () => {
    const { best, workers, warnings } = await load(policy("'self'"));
    assert.deepEqual([best, workers, warnings.length], [1, 0, 1]);
    assert.match(warnings[0], /^no worker can be started, so scoring runs on the calling thread: .*worker-src/);
  });

  test("works as docs/bundlers.md shows it, and shares its engine within the page", async () => {
    const [, html] = /<!-- test: html -->\s*```html\n(.*?)```/s.exec(read("docs/bundlers.md"));
    const address = /https:\/\/[^"]+\/dist\//g;
    // The listing moves with a release.
    const { version } = JSON.parse(read("pkg/package.json"));
    const ofRelease = `https://cdn.jsdelivr.net/npm/ranklet@${version}/dist/`;
    assert.deepEqual(html.match(address), [ofRelease, ofRelease]);
    writeFileSync(join(folder, "cdn.html"), `<!doctype html><title>CDN</title><body>${html.replaceAll(address, cdn.url)}</body>`);
    const site = await serveFolder(folder, {});
    const page = await browser.newPage();
    try {
      await page.goto(`${site.url}cdn.html`);
      await page.locator("body", { hasText: "Paris is the capital of France." }).waitFor();
      const shared = await page.evaluate(async () => {
        await Promise.all([import("ranklet/server/index.js"), import("ranklet/adapters/orama.js")]);
        const { Reranker } = await import("ranklet");
        const reranker = await Reranker.shared("ranklet/small");
        const { backend } = reranker.info;
        reranker.dispose();
        return backend.shared;
      });
      assert.equal(shared, "page");
    } finally {
      await page.close();
      await site.stop();
    }
  });

  test("rejects a number of workers that cannot be started", async () => {
    const { code, message } = await load(policy("'self'"), { workers: 1 });
    assert.equal(code, "internal");
    assert.match(message, /worker-src/);
  });
});
