// Takes docs/page.png, the picture in README.md, of the page that ./build.sh demo has built: node tests/js/support/docs/picture.js
// on a machine that does nothing else, because the picture shows times.
import { launchChromium } from "../browsers/chromium.js";
import { openPage, whenRanked, whenReady } from "../browsers/page.js";
import { inRepository } from "../paths.js";
import { startDemo } from "../servers/demo.js";

const question = "How do crooks get people's passwords by email?";

const demo = await startDemo();
const browser = await launchChromium();
try {
  const { page, open } = await openPage(browser, demo.url, { viewport: { width: 1200, height: 1340 }, reducedMotion: "reduce" });
  // The second visit has the fonts from its first moment.
  for (let visit = 0; visit < 2; visit++) {
    await open();
    await whenReady(page);
  }
  // The second ranking, because the first one of a page is slower.
  for (const text of ["", question, "", question]) {
    await page.fill("#query", text);
    if (text === "") continue;
    await whenRanked(page);
    await page.locator("#ranklet-list mark").first().waitFor();
  }
  await page.locator("#ranklet-list .passage").first().click();
  await page.locator("#ranklet-list .state", { hasText: "scores in" }).waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  await page.screenshot({ path: inRepository("docs/page.png") });
} finally {
  await browser.close();
  await demo.stop();
}
