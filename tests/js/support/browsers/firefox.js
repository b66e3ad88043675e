import { existsSync } from "node:fs";

import puppeteer from "puppeteer-core";

/** Starts headless Firefox, driven over WebDriver BiDi; a missing one is a failure, not a skip. */
export function launchFirefox() {
  const executablePath = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
  if (!existsSync(executablePath)) {
    throw new Error(`no Firefox at ${executablePath}: install it (Debian: apt-get install firefox-esr) or set FIREFOX`);
  }
  return puppeteer.launch({ browser: "firefox", executablePath, headless: true });
}
