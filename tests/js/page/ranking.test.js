import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  holdRankings,
  rank,
  screens,
  screenshot,
  texts,
  useLongDocuments,
  whenRanked,
  whenReady,
  withDemo,
} from "../support/browsers/page.js";

const whiskers = "How can cats tell whether they fit through a hole?";

describe("the demo page", () => {
  const suite = withDemo();

  for (const [name, options] of Object.entries(screens)) {
    test(`the page loads, ranks and fits the screen without layout shifts: ${name}`, async () => {
      const { page, problems, open, close } = await suite.openPage(options);
      await open();
      await whenReady(page);
      await screenshot(page, `${name}-empty`);
      await page.getByRole("button", { name: whiskers }).click();
      await whenRanked(page);
      // The last rows may still be moving.
      await page.waitForTimeout(500);
      await screenshot(page, `${name}-ranked`);
      await screenshot(page, `${name}-ranked-whole`, { fullPage: true });
      assert.match((await texts(page, "ranklet-list"))[0], /^A cat's whiskers/);
      assert.match(
        await page.textContent("#status-text"),
        /^Ranked \d+ passages in .+ The right passage went up 26 places, from 27 to 1\.$/,
      );
      assert.equal(await page.locator("#ranklet-list .row").first().locator(".rank-change").getAttribute("data-direction"), "up");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, "no horizontal scrolling");
      const shifts = await page.evaluate(() => shifts);
      const moved = shifts.reduce((sum, { value }) => sum + value, 0);
      assert.ok(moved < 0.02, `layout shift ${moved}: ${JSON.stringify(shifts)}`);
      assert.deepEqual(await page.evaluate(() => violations), []);
      assert.deepEqual(problems, []);
      await close();
    });
  }

  test("the page draws a line for each passage, and hovering highlights it in both lists", async () => {
    const { page, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await rank(page, "What is the hottest planet?");
    const row = page.locator("#ranklet-list .row").first();
    const index = await row.getAttribute("data-index");
    await row.hover();
    assert.equal(await page.locator(`.row.active[data-index="${index}"]`).count(), 2);
    assert.equal(await page.locator("#rank-change-lines path[data-active]").count(), 1);
    const ends = await page.locator("#rank-change-lines path").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")));
    assert.ok(ends.length >= 10 && ends.every((end) => !end.includes("NaN")), ends.join("\n"));
    assert.equal(await page.getAttribute("#show-all", "aria-pressed"), null, "its name alone says what it does");
    await page.click("#show-all");
    assert.equal(await page.locator("#ranklet-list .row").count(), await page.locator("#keyword-list .row").count());
    assert.ok((await page.locator("#ranklet-list .row").count()) > 10);
    await close();
  });

  test("the page shows the code, the time and the statistics of a ranking", async () => {
    const { page, context, open, close } = await suite.openPage();
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await open();
    await whenReady(page);
    await rank(page, "Why do astronauts float?");
    await rank(page, "What is the hottest planet?");
    assert.equal(await page.locator("#latency rect").count(), 2);
    assert.match(await page.locator("#latency").getAttribute("aria-label"), /^2 rankings: median .+, fastest .+, slowest .+\.$/);
    for (const fact of ["time", "tokens", "scored", "device", "engine", "dtype"])
      assert.notEqual(await page.textContent(`#stat-${fact}`), "–");
    await page.click("#copy");
    await page.locator("#announcement", { hasText: "Copied" }).waitFor();
    const code = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(code, /^import \{ Reranker \} from "ranklet";/);
    assert.match(code, /const query = "What is the hottest planet\?";/);
    await close();
  });

  test("the page shows the progress of a ranking, which can be canceled and repeated", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    assert.equal(await page.isVisible("#status-action"), false);
    await useLongDocuments(page);
    const goOn = await holdRankings(page);
    await page.fill("#query", whiskers);
    await page.locator('[data-ranking-state="ranking"]').waitFor();
    assert.match(await page.textContent("#ranking-state"), /^ranking, \d+ of \d+$/);
    await screenshot(page, "ranking");
    await page.getByRole("button", { name: "Cancel" }).click();
    assert.match(await page.textContent("#status-text"), /^Canceled after \d+ of \d+ passages\.$/);
    await screenshot(page, "canceled");
    await goOn();
    await page.getByRole("button", { name: "Rank again" }).click();
    await whenRanked(page);
    assert.match((await texts(page, "ranklet-list"))[0], /^Passage \d+\. Whiskers/);
    assert.deepEqual(problems, []);
    await close();
  });

  test("a newer query replaces a running one without a message", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    for (const query of ["Why", "Why is", "Why is sea water salty?"]) {
      await page.fill("#query", query);
      await page.waitForTimeout(200);
    }
    assert.ok((await texts(page, "keyword-list")).length > 0, "keyword results appear immediately");
    await whenRanked(page);
    assert.match((await texts(page, "ranklet-list"))[0], /salt/i);
    assert.equal(await page.locator("#load-card").isVisible(), false);
    await page.fill("#query", "");
    assert.deepEqual(await texts(page, "ranklet-list"), []);
    assert.deepEqual(problems, []);
    await close();
  });
});
