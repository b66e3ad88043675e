import { chromium } from "playwright-core";

import { chromiumExecutable, quietFlags, softwareGpuFlags } from "./chromium-flags.js";

/** Max time in milliseconds for each step of a test in a page, on a busy machine. */
export const maxStepMs = 120_000;

/** Lets the timers of `ms` milliseconds in a page run after a minute, because what they wait for may take longer on a busy machine. */
export async function lengthenTimer(page, ms) {
  await page.addInitScript((timerMs) => {
    const { setTimeout } = globalThis;
    globalThis.setTimeout = (run, ms, ...rest) => setTimeout(run, ms === timerMs ? 60_000 : ms, ...rest);
  }, ms);
}

/** Starts headless Chromium. */
export function launchChromium(args = quietFlags) {
  return chromium.launch({ executablePath: chromiumExecutable(), args });
}

/** Starts headless Chromium with WebGPU on a software adapter. */
export function launchChromiumWithGpu() {
  return launchChromium(softwareGpuFlags);
}

/** Creates a page that `open` navigates to the demo, and records its console problems and requests. */
export async function openDemo(browser, url, options = {}) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(maxStepMs);
  const problems = [];
  const requests = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  return { page, problems, requests, open: () => page.goto(url) };
}
