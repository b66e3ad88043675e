import { existsSync } from "node:fs";

import puppeteer from "puppeteer-core";

/**
 * Starts headless Firefox, controlled over WebDriver BiDi.
 * @throws {Error} if it is not installed, so that tests fail instead of skipping
 */
export function launchFirefox() {
  const executablePath = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
  if (!existsSync(executablePath)) {
    throw new Error(`no Firefox at ${executablePath}: install it (Debian: apt-get install firefox-esr) or set FIREFOX`);
  }
  return puppeteer.launch({ browser: "firefox", executablePath, headless: true, timeout: 120_000 });
}
