// How the tests and the bench start Chromium. It imports no driver: each has its own copy of Playwright.
import { existsSync } from "node:fs";

/** Headless Chromium that makes no requests of its own. */
export const quietFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-quic",
];

/** WebGPU without a GPU: on SwiftShader, a Vulkan implementation that runs on the CPU. */
export const softwareGpuFlags = withGpu([
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  // It ends a GPU process that does not answer for some seconds, as on a busy machine.
  "--disable-gpu-watchdog",
]);

/** WebGPU on the machine's GPU; Chromium on Linux blocks many GPUs by default. */
export const hardwareGpuFlags = withGpu(["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--ignore-gpu-blocklist"]);

function withGpu(flags) {
  return [...quietFlags.filter((flag) => flag !== "--disable-gpu"), ...flags];
}

/**
 * Returns the path of Chromium: `CHROMIUM`, or Debian's.
 * @throws {Error} if it is not installed, so that tests fail instead of skipping
 */
export function chromiumExecutable() {
  const path = process.env.CHROMIUM ?? "/usr/bin/chromium";
  if (!existsSync(path)) throw new Error(`no Chromium at ${path}: install it (Debian: apt-get install chromium) or set CHROMIUM`);
  return path;
}
