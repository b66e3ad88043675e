// Measures how long the demo page takes from its first request to the first final ranking of a question that is typed at once,
// and to one by the embedded model, in a new Chromium without a cache.
//
//     node bench/measure/first-result.mjs [--mbit N] [--repetitions N] FOLDER...
//
// A folder is a built page, such as .build/www. Several are compared, interleaved. It needs the packages of bench.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, resolve } from "node:path";
import { parseArgs } from "node:util";

import { chromium } from "playwright-core";

import { chromiumExecutable, quietFlags } from "../../tests/js/support/browsers/chromium-flags.js";
import { median } from "./statistics.mjs";

const question = "How can cats tell whether they fit through a hole?";
const types = {
  ".html": "text/html",
  ".css": "text/css",
  ".js": "text/javascript",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

const { values, positionals: folders } = parseArgs({
  allowPositionals: true,
  options: { mbit: { type: "string" }, repetitions: { type: "string", default: "5" } },
});
if (folders.length === 0) {
  console.error("usage: node bench/measure/first-result.mjs [--mbit N] [--repetitions N] FOLDER...");
  process.exit(2);
}
const bytesPerMs = values.mbit === undefined ? Infinity : (Number(values.mbit) * 1e6) / 8 / 1000;

// Timers may be late by so much without a loss of speed.
const burstMs = 100;

const results = folders.map(() => ({ first: [], embedded: [] }));
for (let repetition = 0; repetition < Number(values.repetitions); repetition++) {
  for (const [index, folder] of folders.entries()) {
    const { first, embedded } = await measure(resolve(folder));
    results[index].first.push(first);
    results[index].embedded.push(embedded);
    console.log(`${folder}: first result after ${first.toFixed(0)} ms, the embedded model's after ${embedded.toFixed(0)} ms`);
  }
}
for (const [index, folder] of folders.entries()) {
  const { first, embedded } = results[index];
  console.log(`median of ${folder}: ${(median(first) / 1000).toFixed(1)} s, ${(median(embedded) / 1000).toFixed(1)} s`);
}

async function measure(folder) {
  const server = await serve(folder);
  const browser = await chromium.launch({ executablePath: chromiumExecutable(), args: quietFlags });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`, { waitUntil: "commit" });
    await page.locator("#query").fill(question);
    await page.locator('[data-ranking-state="final"]').waitFor({ timeout: 120_000 });
    const now = () => page.evaluate(() => performance.now());
    const first = await now();
    const again = page.getByRole("button", { name: "Rank again" });
    await page.locator("#model-name", { hasText: "Embedded model" }).or(again).first().waitFor({ timeout: 120_000 });
    if (!(await again.isVisible())) return { first, embedded: first };
    await again.click();
    await page.locator('[data-ranking-state="pending"]').waitFor();
    await page.locator('[data-ranking-state="final"]').waitFor({ timeout: 120_000 });
    return { first, embedded: await now() };
  } finally {
    await browser.close();
    await new Promise((done) => server.close(done).closeAllConnections());
  }
}

/** Serves a folder; all answers together are as fast as the option says. */
async function serve(folder) {
  let free = 0;
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const name = join(folder, path === "/" ? "index.html" : path);
    if (!existsSync(name)) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": types[extname(name)] ?? "application/octet-stream", "cache-control": "no-cache" });
    response.on("error", () => {});
    for await (const chunk of createReadStream(name, { highWaterMark: 16_384 })) {
      if (response.destroyed) return;
      response.write(chunk);
      const now = performance.now();
      free = Math.max(free, now - burstMs) + chunk.length / bytesPerMs;
      if (free > now + 2) await new Promise((done) => setTimeout(done, free - now));
    }
    response.end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return server;
}
