// Starts Chromium and opens pages that score.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { chromiumExecutable, hardwareGpuFlags, quietFlags, softwareGpuFlags } from "../../tests/js/support/browsers/chromium-flags.js";

/** Turns off the instruction that V8 uses for the relaxed integer dot product. */
export const withoutVnni = "--js-flags=--no-enable-avx-vnni";

/** Starts Chromium with WebGPU on the machine's GPU or on a software adapter. */
export function startGpuChromium(site, hardware) {
  return start(site, hardware ? hardwareGpuFlags : softwareGpuFlags);
}

/** Starts Chromium. Each page has its own context, and so its own process. */
export function startChromium(site, flags = []) {
  return start(site, [...quietFlags, ...flags]);
}

async function start(site, args) {
  const browser = await chromium.launch({ executablePath: chromiumExecutable(), args });
  return {
    version: browser.version(),
    open: async (peer) => openPage(await browser.newContext(), site, peer),
    peakBytes: () => peakBytes(browser),
    close: () => browser.close(),
  };
}

/** Starts Chromium with a profile on disk, so that caches persist when a page is closed. */
export async function startProfile(site) {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-bench-"));
  const context = await chromium.launchPersistentContext(folder, { executablePath: chromiumExecutable(), args: quietFlags });
  return {
    open: (peer) => openPage(context, site, peer),
    close: async () => {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** @param {"ranklet" | "layers" | "transformers"} peer the module in page/ that the page uses */
async function openPage(context, site, peer) {
  const page = await context.newPage();
  const gone = new Promise((_, reject) => page.on("crash", () => reject(new Error("the page crashed"))));
  gone.catch(() => {});
  await page.goto(`${site.url}page/`);
  /** Calls a function of the module. Errors keep their `code`. */
  const call = async (name, argument) => {
    const evaluated = page.evaluate(
      async ([module, name, argument]) => {
        try {
          return { value: await (await import(module))[name](argument) };
        } catch (error) {
          return { error: String(error?.message ?? error), code: error?.code };
        }
      },
      [`/page/${peer}.js`, name, argument],
    );
    evaluated.catch(() => {});
    const { value, error, code } = await Promise.race([evaluated, gone]);
    if (error !== undefined) throw Object.assign(new Error(error), { code });
    return value;
  };
  return {
    load: (settings) => call("load", settings),
    score: (workload) => call("score", workload),
    wasmBytes: () => call("wasmBytes"),
    close: () => page.close(),
  };
}

/** Returns the peak memory of the largest page process; undefined if the system does not report it. */
async function peakBytes(browser) {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const peaks = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => peakBytesOf(id));
  return peaks.some((peak) => peak === undefined) ? undefined : Math.max(...peaks);
}

function peakBytesOf(id) {
  try {
    const [, kibibytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${id}/status`, "utf8"));
    return Number(kibibytes) * 1024;
  } catch {
    return undefined;
  }
}

/** Returns the CPU features that V8 detects when it is started with a flag: { AVX2: true, AVX_VNNI: false, ... }. */
export async function processorFeatures(flag = "") {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-bench-"));
  const args = ["--headless", `--user-data-dir=${folder}`, ...quietFlags, `--js-flags=${flag} --help`, "about:blank"];
  // In its own process group, because Chromium does not exit by itself after --help.
  const child = spawn(chromiumExecutable(), args, { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  try {
    const line = await new Promise((found) => {
      let output = "";
      child.stdout.on("data", (data) => {
        output += data;
        const match = /^CPU features: (.*)\n/m.exec(output);
        if (match !== null) found(match[1]);
      });
      child.once("exit", () => found(""));
      setTimeout(found, 20_000, "").unref();
    });
    return Object.fromEntries(
      line
        .trim()
        .split(/\s+/)
        .filter(Boolean)
        .map((feature) => feature.split("="))
        .map(([name, on]) => [name, on === "1"]),
    );
  } finally {
    const ended = new Promise((resolve) => (child.exitCode === null ? child.once("exit", resolve) : resolve()));
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // It has already exited.
    }
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}
