// While somebody types and Ranklet ranks, the page answers: no long task, no late frame.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { launchChromium, startDemo } from "./support/chromium.js";
import { openPage, whenRanked, whenReady } from "./support/page.js";

const limit = 50;

describe("the demo page under the fingers", () => {
  let demo;
  let browser;
  before(async () => {
    demo = await startDemo();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await demo?.stop();
  });

  test(`typing while rankings run leaves no task longer than ${limit} ms, and frames come on time`, async (t) => {
    const { page, problems, open, close } = await openPage(browser, demo.url);
    await open();
    await whenReady(page);
    // The machine may be doing other things as well: what the page itself is to blame for shows in both tries.
    let seen = await typeAndMeasure(page);
    t.diagnostic(describeFrames(seen));
    if (!isSmooth(seen)) {
      seen = await typeAndMeasure(page);
      t.diagnostic(`again: ${describeFrames(seen)}`);
    }
    assert.ok(seen.frames.length > 30, "enough frames to mean anything");
    assert.deepEqual(seen.tasks, [], "no long task");
    assert.ok(isSmooth(seen), describeFrames(seen));
    assert.deepEqual(problems, []);
    await close();
  });
});

/** Types a question key by key, slowly enough that rankings start in between, and measures until the last is done. */
async function typeAndMeasure(page) {
  await page.fill("#query", "");
  await page.evaluate(() => {
    const seen = { tasks: [], frames: [], busy: true };
    globalThis.seen = seen;
    const observer = new PerformanceObserver((list) => seen.tasks.push(...list.getEntries().map(({ duration }) => duration)));
    observer.observe({ type: "longtask" });
    const frame = (before) =>
      requestAnimationFrame((now) => {
        seen.frames.push(now - before);
        if (seen.busy) frame(now);
        else observer.disconnect();
      });
    requestAnimationFrame(frame);
  });
  await page.locator("#query").pressSequentially("Where is the ring I dropped", { delay: 90 });
  await page.waitForTimeout(300);
  await page.locator("#query").pressSequentially(" down the sink?", { delay: 150 });
  await whenRanked(page);
  return page.evaluate(() => {
    seen.busy = false;
    return { tasks: seen.tasks, frames: seen.frames };
  });
}

function late({ frames }) {
  return frames.filter((gap) => gap > limit);
}

/** One frame in fifty may be late: the processor is not the page's alone. */
function isSmooth(seen) {
  return seen.tasks.length === 0 && late(seen).length <= seen.frames.length / 50;
}

function describeFrames(seen) {
  const tasks = seen.tasks.map((task) => task.toFixed(0)).join(", ") || "none";
  return `${seen.frames.length} frames, ${late(seen).length} late, the longest ${Math.max(...seen.frames).toFixed(0)} ms; long tasks: ${tasks}`;
}
