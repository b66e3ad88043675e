// Explanations on the page: the best sentences in the list, the heat map of an open result, and the comparison of two results.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { expectNoViolation } from "../support/browsers/axe.js";
import {
  holdRankings,
  rank,
  screens,
  screenshot,
  useDocuments,
  useLongDocuments,
  whenRanked,
  whenReady,
  withDemo,
} from "../support/browsers/page.js";

const whiskers = "How can cats tell whether they fit through a hole?";
/** Short, because each of their words costs a score. */
const shortDocuments = [
  "Berlin is a large city. It lies in Germany.",
  "Paris is the capital of France. It is old.",
  "The tower stands in Paris. It is high.",
  "France makes wine. It has many hills.",
];

const explained = /^What each word adds to the logit, from \d+ scores in \d/;

describe("explanations on the demo page", () => {
  const suite = withDemo();

  for (const name of ["desktop", "phone-dark"]) {
    test(`results open to heat maps and are compared, by keyboard and without a layout shift: ${name}`, async () => {
      const { page, problems, open, close } = await suite.openPage({ ...screens[name], reducedMotion: "reduce" });
      await open();
      await whenReady(page);
      await useDocuments(page, shortDocuments);
      await rank(page, "What is the capital of France?");
      await page.locator("#ranklet-list mark").first().waitFor();
      await page.evaluate(() => (shifts.length = 0));
      await rows(page).first().locator(".passage").focus();
      await page.keyboard.press("Enter");
      const opened = await heights(page);
      await panel(page, 1).getByText(explained).waitFor();
      assert.deepEqual(await heights(page), opened, "the explanation has had its space before");
      await expectHeatMap(rows(page).first().locator(".text"));
      await screenshot(page, `${name}-heat-map`);
      await expectNoViolation(page, "heat map");

      await rows(page).nth(3).locator(".passage").focus();
      await page.keyboard.press("Enter");
      await page.keyboard.press("Tab");
      const button = panel(page, 4).getByRole("button", { name: "Why not first?" });
      assert.equal(await button.evaluate((element) => element === document.activeElement), true);
      await screenshot(page, `${name}-focus`);
      await page.keyboard.press("Enter");
      const dialog = page.getByRole("dialog", { name: "Why is number 4 not first?" });
      const before = await dialog.boundingBox();
      await dialog.getByText(/^Number 1 is ahead by \d+\.\d\d: logit [+−]\d+\.\d\d against [+−]\d+\.\d\d\.$/).waitFor();
      assert.deepEqual(await dialog.boundingBox(), before, "the comparison has had its space before");
      for (const side of ["a", "b"]) await expectHeatMap(dialog.locator(`#compare-${side}-text`));
      await screenshot(page, `${name}-comparison`);
      await expectNoViolation(page, "comparison");
      await page.keyboard.press("Escape");
      assert.equal(await dialog.isVisible(), false);
      assert.equal(await button.evaluate((element) => element === document.activeElement), true, "the focus is back");
      assert.equal(await page.inputValue("#query"), "What is the capital of France?");

      assert.deepEqual(await page.evaluate(() => shifts), []);
      assert.equal(
        await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
        0,
        "no horizontal scrolling",
      );
      assert.deepEqual(await page.evaluate(() => violations), []);
      assert.deepEqual(
        problems.filter((problem) => !problem.includes("Service Worker")),
        [],
      );
      await close();
    });
  }

  test("the best sentence of each visible result is marked, and a closed result begins with it", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await rank(page, whiskers);
    // A closed result whose best sentence is not its first. The first result is open.
    let place = 1,
      row,
      sentence,
      text;
    do {
      row = rows(page).nth(place++);
      await row.locator("mark").waitFor();
      [sentence, text] = [await row.locator("mark").textContent(), await row.locator(".text").textContent()];
    } while (text.startsWith(sentence));
    assert.ok(text.includes(sentence) && /^[A-Z][^.]+\.$/.test(sentence), sentence);
    await page.getByRole("button", { name: `${place} … ${sentence}` }).click();
    // biome-ignore lint/performance/useDomNodeTextContent: innerText leaves out hidden text
    assert.equal(await row.locator(".text").evaluate((element) => element.innerText), text, "an open result shows its whole text");
    await page.click("#show-all");
    await page.locator("#ranklet-list > .row:nth-child(n + 11) mark").first().waitFor();
    const last = rows(page).last();
    assert.equal(await last.locator("mark").count(), 0, "results far below are not read again");
    await last.scrollIntoViewIfNeeded();
    await last.locator("mark").waitFor();
    // At once, because a moment later the marks are those of the new question.
    const marks = await page.evaluate(() => {
      const field = document.getElementById("query");
      field.value = "Why do I feel dizzy after a merry-go-round?";
      field.dispatchEvent(new Event("input", { bubbles: true }));
      return document.querySelectorAll(".text:not(.outdated) mark").length;
    });
    assert.equal(marks, 0, "no mark of an earlier question is shown");
    assert.deepEqual(problems, []);
    await close();
  });

  test("typing ends an explanation, and the open result is explained again for the new question", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await useLongDocuments(page, 3);
    await rank(page, "Do whiskers measure a hole?");
    const row = rows(page).first();
    await row.locator(".passage").click();
    await row.getByText(/^What each sentence adds to the logit: \d+ of \d+ scores\.$/).waitFor();
    await watchStates(page);
    await page.locator("#query").press("End");
    await page.locator("#query").pressSequentially(" now");
    await whenRanked(page);
    const states = await page.evaluate(() => states);
    assert.deepEqual([...new Set(states)], ["Explained when the ranking is final."]);
    const again = page.locator("#ranklet-list [aria-expanded=true]");
    await page.locator("#ranklet-list .state:visible", { hasText: /^What each sentence adds/ }).waitFor();
    await again.press("Escape");
    assert.equal(await again.count(), 0);
    assert.equal(await page.inputValue("#query"), "Do whiskers measure a hole? now", "Escape has closed the result only");
    assert.deepEqual(problems, []);
    await close();
  });

  test("screen readers hear the words with the largest contributions, and the panel has names", async () => {
    const { page, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    await rank(page, whiskers);
    await rows(page).first().locator(".passage").press("Enter");
    await panel(page, 1).getByText(explained).waitFor();
    assert.match(await page.textContent("#announcement"), /^Raises the score: cat's, \+\d\.\d\d.*\. Lowers it: \w+, −\d\.\d\d/);
    const words = await panel(page, 1).getByRole("list", { name: "Raises the score" }).getByRole("listitem").allTextContents();
    assert.match(words[0], /^cat's \+\d\.\d\d$/);
    assert.ok(await panel(page, 1).getByRole("list", { name: "Lowers the score" }).isVisible());
    await panel(page, 1).getByRole("button", { name: "Why ahead of number 2?" }).click();
    const dialog = page.getByRole("dialog", { name: "Why is number 1 ahead of number 2?" });
    await dialog
      .getByRole("status")
      .getByText(/^Number 1 is ahead by/)
      .waitFor();
    assert.match(
      await dialog.getByRole("region", { name: "Puts number 1 ahead" }).getByRole("listitem").first().textContent(),
      /^.+ in number [12] \+\d\.\d\d$/,
    );
    await dialog.getByRole("button", { name: "Close" }).click();
    assert.match(await page.textContent("#code"), /await reranker\.compare\(query, passages\[\d+\], passages\[\d+\]\);/);
    await close();
  });

  test("a result can be opened as soon as the order is final, before the workers say that they are done", async () => {
    const { page, problems, open, close } = await suite.openPage();
    await open();
    await whenReady(page);
    const goOn = await holdRankings(page, { atEnd: true });
    await rank(page, whiskers);
    await rows(page).first().locator(".passage").press("Enter");
    await panel(page, 1).getByText(explained).waitFor();
    assert.match(await page.textContent("#announcement"), /^Raises the score: /);
    assert.match(await page.textContent("#code"), /cats tell whether they fit/);
    await goOn();
    await page.locator("#ranklet-list mark").first().waitFor();
    assert.deepEqual(problems, []);
    await close();
  });
});

/** Records the state of the open result from the next letter to the end of the ranking. */
function watchStates(page) {
  return page.evaluate(() => {
    globalThis.states = [];
    const column = document.getElementById("ranklet-column");
    const watcher = new MutationObserver(() => {
      if (column.dataset.rankingState === "final") watcher.disconnect();
      else states.push(column.querySelector("[aria-expanded=true] + .score-panel .state").textContent);
    });
    document
      .getElementById("query")
      .addEventListener("input", () => watcher.observe(column, { attributes: true, childList: true, subtree: true }), { once: true });
  });
}

function rows(page) {
  return page.locator("#ranklet-list > .row");
}

/** Returns the explanation of the result at a place, from 1. */
function panel(page, place) {
  return rows(page)
    .nth(place - 1)
    .getByRole("group", { name: "Explanation of the score" });
}

/** Returns the heights of the list and its rows. */
function heights(page) {
  return page.locator("#ranklet-list, #ranklet-list > .row").evaluateAll((elements) => elements.map(({ offsetHeight }) => offsetHeight));
}

/** Checks that a text has parts with large contributions, and that each marked part has a color and a line that shows the sign. */
async function expectHeatMap(text) {
  const parts = await text.locator(".heat").evaluateAll((elements) =>
    elements.map((element) => {
      const { backgroundColor, textDecorationLine, textDecorationStyle } = getComputedStyle(element);
      return { ...element.dataset, backgroundColor, textDecorationLine, textDecorationStyle };
    }),
  );
  const marked = parts.filter(({ level }) => level !== "0");
  assert.ok(marked.length > 0 && marked.length < parts.length, `${marked.length} of ${parts.length} parts are marked`);
  for (const { effect, backgroundColor, textDecorationLine, textDecorationStyle } of marked) {
    assert.doesNotMatch(backgroundColor, /, 0\)$/);
    assert.deepEqual([textDecorationLine, textDecorationStyle], ["underline", effect === "raises" ? "solid" : "dashed"]);
  }
}
