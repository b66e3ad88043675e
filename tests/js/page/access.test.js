// Accessibility: the page without a mouse, and with a screen reader.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { expectNoViolation } from "../support/browsers/axe.js";
import { holdRankings, rank, screens, screenshot, useLongDocuments, whenRanked, whenReady, withDemo } from "../support/browsers/page.js";

describe("accessibility of the demo page", () => {
  const suite = withDemo();

  for (const [name, options] of Object.entries(screens)) {
    test(`axe finds no violation on the page, empty, ranked and with its dialogs: ${name}`, async () => {
      const { page, open, close } = await suite.openPage({ ...options, reducedMotion: "reduce" });
      await open();
      await whenReady(page);
      await expectNoViolation(page, "empty");
      await rank(page, "How do crooks get people's passwords by email?");
      await page.getByText("All requests of this page").click();
      await expectNoViolation(page, "ranked");
      for (const dialog of ["documents", "model"]) {
        await page.click(`#choose-${dialog}`);
        if (dialog === "model") await screenshot(page, `${name}-model-dialog`);
        await expectNoViolation(page, `${dialog} dialog`);
        await page.keyboard.press("Escape");
      }
      await page.fill("#query", "");
      await useLongDocuments(page);
      await holdRankings(page);
      await page.fill("#query", "How can cats tell whether they fit through a hole?");
      await page.locator("#ranklet-list .pending").first().waitFor({ state: "attached" });
      await expectNoViolation(page, "ranking");
      await close();
    });
  }

  test("axe finds no violation on the page after loading failed", async () => {
    for (const options of [screens.desktop, screens.dark]) {
      const { page, open, close } = await suite.openPage({ ...options, serviceWorkers: "block" });
      await page.route("**/model.safetensors", (route) => route.fulfill({ status: 503 }));
      await open();
      await page.locator('[data-state="failed"]').waitFor();
      await expectNoViolation(page, "failed");
      await close();
    }
  });

  test("the keyboard reaches all controls, and the focus is visible", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await page.keyboard.press("/");
    assert.equal(await focused(page), "query");
    await page.keyboard.type("What is the hottest planet?");
    await whenRanked(page);
    const reached = new Set();
    for (let at = 0; at < 60; at++) {
      await page.keyboard.press("Tab");
      reached.add(await focused(page));
      const outline = await page.evaluate(
        () => document.activeElement === document.body || getComputedStyle(document.activeElement).outlineStyle !== "none",
      );
      assert.ok(outline, `${await focused(page)} shows the focus`);
    }
    for (const id of ["choose-documents", "choose-model", "query", "show-all", "copy"])
      assert.ok(reached.has(id), `${id} is reached: ${[...reached]}`);
    assert.deepEqual(problems, []);
    await close();
  });

  test("arrow keys move in a list, Enter opens a passage, Escape cancels and then clears", async () => {
    const { page, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await rank(page, "What is the hottest planet?");
    const rows = page.locator("#ranklet-list .passage");
    await rows.first().focus();
    await page.keyboard.press("ArrowDown");
    assert.equal(await rows.nth(1).evaluate((button) => button === document.activeElement), true);
    const before = (await rows.nth(1).boundingBox()).height;
    await page.keyboard.press("Enter");
    assert.equal(await rows.nth(1).getAttribute("aria-expanded"), "true");
    // Rows may still be moving to their positions.
    await page.evaluate(() => Promise.allSettled(document.getAnimations().map(({ finished }) => finished)));
    const [opened, next] = [await rows.nth(1).boundingBox(), await rows.nth(2).boundingBox()];
    assert.ok(opened.height >= before && opened.y + opened.height <= next.y + 1, "the row below moves down");
    await useLongDocuments(page);
    await page.keyboard.press("/");
    await holdRankings(page);
    await page.fill("#query", "How can cats tell whether they fit through a hole?");
    await page.locator('[data-ranking-state="ranking"]').waitFor();
    await page.keyboard.press("Escape");
    assert.match(await page.textContent("#status-text"), /^Canceled/);
    await page.keyboard.press("Escape");
    assert.equal(await page.inputValue("#query"), "");
    await close();
  });

  test("the focus moves to the next button or to the query when a focused button goes away", async () => {
    const { page, open, close } = await suite.openPage({ ...screens.desktop, serviceWorkers: "block" });
    const weights = "**/small/model.safetensors";
    await page.route(weights, (route) => route.fulfill({ status: 503 }));
    await open();
    await page.getByRole("button", { name: "Try again" }).focus();
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await page.unroute(weights);
    await page.route(weights, async (route) => {
      await held;
      await route.continue();
    });
    await page.keyboard.press("Enter");
    assert.equal(await focused(page), "Cancel");
    release();
    await page.locator("#load-card").waitFor({ state: "hidden" });
    assert.equal(await focused(page), "query");
    await whenReady(page);
    await useLongDocuments(page);
    const goOn = await holdRankings(page);
    await page.fill("#query", "How can cats tell whether they fit through a hole?");
    await page.getByRole("button", { name: "Cancel" }).press("Enter");
    assert.equal(await focused(page), "status-action");
    await goOn();
    await page.keyboard.press("Enter");
    await whenRanked(page);
    assert.equal(await focused(page), "query");
    await close();
  });

  test("screen readers hear the outcome of a ranking once, and no intermediate step", async () => {
    const { page, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await page.evaluate(() => {
      globalThis.said = [];
      const live = document.getElementById("announcement");
      new MutationObserver(() => said.push(live.textContent)).observe(live, { childList: true, characterData: true, subtree: true });
    });
    // The dialog has its own status, which is silent while the dialog is closed.
    const announcers = await page.evaluate(() => document.querySelectorAll(":is([aria-live], [role=status]):not(dialog *)").length);
    assert.equal(announcers, 1);
    await rank(page, "How do crooks get people's passwords by email?");
    const said = await page.evaluate(() => said);
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0], /^Ranked 12 passages in .+ The right passage went up 10 places, from 11 to 1\. First: /);
    await close();
  });
});

/** Returns the id or the text of the focused element. */
function focused(page) {
  return page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim().slice(0, 30));
}
