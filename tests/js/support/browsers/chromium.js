import { existsSync } from "node:fs";

import { chromium } from "playwright-core";

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** What WebGPU takes where there is no GPU: SwiftShader, a Vulkan on the CPU. */
const softwareGpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

/** As `launchChromium`, with WebGPU on a software adapter. */
export function launchChromiumWithGpu() {
  return launchChromium([...quiet.filter((flag) => flag !== "--disable-gpu"), ...softwareGpu]);
}

/** Starts headless Chromium; a missing one is a failure, not a skip. */
export function launchChromium(args = quiet) {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(executablePath)) {
    throw new Error(`no Chromium at ${executablePath}: install it (Debian: apt-get install chromium) or set CHROMIUM`);
  }
  return chromium.launch({ executablePath, args });
}

/** Opens the demo page and keeps what went wrong on it and what it asked for. */
export async function openDemo(browser, url, options = {}) {
  const page = await browser.newPage(options);
  const problems = [];
  const requests = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  return { page, problems, requests, open: () => page.goto(url) };
}
