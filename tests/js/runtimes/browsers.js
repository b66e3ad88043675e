// The probe in browsers: in a page, a worker of a page, a service worker and an extension.
import { cpSync, createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

import { chromiumExecutable, quietFlags } from "../support/browsers/chromium-flags.js";
import { memoryOfDescendants } from "../support/children/memory.js";
import { dist } from "../support/paths.js";
import { startSite } from "../support/servers/package-site.js";

const programs = new URL("programs/", import.meta.url);
const probe = new URL("probe.js", import.meta.url);

/** Runs the probe in a page: `begin` starts it there and returns the report, `end` ends it. */
async function inPage(launch, { begin, end }) {
  const site = await startSite({ "/runtimes/": sendProgram });
  let browser;
  try {
    browser = await launch();
    const page = await browser.newPage();
    await page.goto(site.url);
    const before = memoryOfDescendants();
    const report = await page.evaluate(begin, "start");
    const memoryBytes = memoryOfDescendants() - before;
    return { report, memoryBytes, afterDispose: await page.evaluate(end, "finish"), remaining: await page.evaluate(workersLeft) };
  } finally {
    await browser?.close();
    await site.stop();
  }
}

function sendProgram({ url }, response) {
  const name = url.split("/").at(-1);
  response.setHeader("content-type", "text/javascript");
  createReadStream(name === "probe.js" ? probe : new URL(name, programs)).pipe(response);
}

export const page = (launch) => inPage(launch, { begin: startInPage, end: finishInPage });
export const webWorker = (launch) => inPage(launch, { begin: askWorker, end: askWorker });
export const serviceWorker = (launch) => inPage(launch, { begin: askServiceWorker, end: askServiceWorker });

/** Runs the probe in the background of an extension of Manifest V3. */
export async function extension() {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-extension-"));
  const files = join(folder, "extension");
  cpSync(fileURLToPath(dist), join(files, "pkg"), { recursive: true });
  cpSync(fileURLToPath(probe), join(files, "probe.js"));
  cpSync(fileURLToPath(new URL("background.js", programs)), join(files, "background.js"));
  const manifest = {
    manifest_version: 3,
    name: "probe",
    version: "1",
    background: { service_worker: "background.js", type: "module" },
    content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
  };
  writeFileSync(join(files, "manifest.json"), JSON.stringify(manifest));
  let context;
  try {
    context = await chromium.launchPersistentContext(join(folder, "profile"), {
      executablePath: chromiumExecutable(),
      headless: false,
      args: [
        ...quietFlags,
        "--headless=new",
        `--disable-extensions-except=${files}`,
        `--load-extension=${files}`,
        "--disable-features=DisableLoadExtensionCommandLineSwitch",
      ],
    });
    const background = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker", { timeout: 120_000 }));
    const before = memoryOfDescendants();
    const report = await background.evaluate(() => globalThis.steps.start());
    const memoryBytes = memoryOfDescendants() - before;
    return { report, memoryBytes, afterDispose: await background.evaluate(() => globalThis.steps.finish()), remaining: report.workers };
  } finally {
    await context?.close();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

// The functions below run in pages, so they must not refer to anything outside.

async function startInPage() {
  const { probe } = await import("/runtimes/probe.js");
  globalThis.running = await probe({ importPackage: () => import("/pkg/index.js") });
  return globalThis.running.report;
}

async function finishInPage() {
  return globalThis.running.finish();
}

async function askWorker(step) {
  globalThis.worker ??= new Worker("/runtimes/worker.js", { type: "module" });
  const { port1, port2 } = new MessageChannel();
  globalThis.worker.postMessage(step, [port2]);
  const { value, error } = await new Promise((resolve, reject) => {
    port1.onmessage = ({ data }) => resolve(data);
    globalThis.worker.onerror = ({ message }) => reject(new Error(message));
  });
  if (error !== undefined) throw new Error(error);
  return value;
}

async function askServiceWorker(step) {
  const registration = await navigator.serviceWorker.register("/runtimes/worker.js", { type: "module" });
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  if (worker.state !== "activated") {
    await new Promise((resolve) => worker.addEventListener("statechange", () => worker.state === "activated" && resolve()));
  }
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(step, [port2]);
  const { value, error } = await new Promise((resolve) => (port1.onmessage = ({ data }) => resolve(data)));
  if (error !== undefined) throw new Error(error);
  return value;
}

/** Returns how many workers of the package have not ended after a minute. Each holds a lock until then. */
async function workersLeft() {
  for (const deadline = performance.now() + 60_000; ; ) {
    const { held } = await navigator.locks.query();
    const { length } = held.filter(({ name }) => name.startsWith("ranklet "));
    if (length === 0 || performance.now() > deadline) return length;
    await new Promise((done) => setTimeout(done, 20));
  }
}
