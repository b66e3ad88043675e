// Measures two storages of Chromium with a file of a given size, by default 1024 MB: the Cache API and OPFS, each with one file
// and with pieces of 8 MB. Prints the times to write, open and read it, and the memory of all processes meanwhile.
//
//   node bench/measure/browser-stores.mjs [MB]
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { chromiumExecutable, quietFlags } from "../../tests/js/support/browsers/chromium-flags.js";
import { unmappedMemoryOfDescendants } from "../../tests/js/support/children/memory.js";

const megabytes = Number(process.argv[2] ?? 1024);

// These functions run in a page. MB is a megabyte, and `size` the number of them.
const storages = {
  "Cache API, one entry": {
    write: async (MB, size) => {
      let count = 0;
      const stream = new ReadableStream({
        pull: (stream) => (count++ < size ? stream.enqueue(new Uint8Array(MB).fill(7)) : stream.close()),
      });
      await (await caches.open("x")).put("/f", new Response(stream));
    },
    open: async () => (await (await caches.open("x")).match("/f")).blob(),
  },
  "Cache API, pieces": {
    write: async (MB, size) => {
      const cache = await caches.open("x");
      for (let at = 0; at < size; at += 8) await cache.put(`/f?${at}`, new Response(new Uint8Array(8 * MB).fill(7)));
    },
    open: async (_, size) => {
      const [cache, pieces] = [await caches.open("x"), []];
      for (let at = 0; at < size; at += 8) pieces.push(await (await cache.match(`/f?${at}`)).blob());
      return new Blob(pieces);
    },
  },
  "OPFS, one file": {
    write: async (MB, size) => {
      const file = await (await navigator.storage.getDirectory()).getFileHandle("f", { create: true });
      const stream = await file.createWritable();
      for (let at = 0; at < size; at++) await stream.write(new Uint8Array(MB).fill(7));
      await stream.close();
    },
    open: async () => (await (await navigator.storage.getDirectory()).getFileHandle("f")).getFile(),
  },
  "OPFS, pieces": {
    write: async (MB, size) => {
      const root = await navigator.storage.getDirectory();
      for (let at = 0; at < size; at += 8) {
        const stream = await (await root.getFileHandle(`f${at}`, { create: true })).createWritable();
        await stream.write(new Uint8Array(8 * MB).fill(7));
        await stream.close();
      }
    },
    open: async (_, size) => {
      const [root, pieces] = [await navigator.storage.getDirectory(), []];
      for (let at = 0; at < size; at += 8) pieces.push(await (await root.getFileHandle(`f${at}`)).getFile());
      return new Blob(pieces);
    },
  },
};

/** Reads in pieces of a megabyte, as the engine does. */
async function read(MB) {
  const { stored } = globalThis;
  for (let at = 0; at < stored.size; at += MB) {
    if (new Uint8Array(await stored.slice(at, at + MB).arrayBuffer())[MB - 1] !== 7) throw new Error(`wrong bytes at ${at}`);
  }
}

const server = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html>"));
await new Promise((done) => server.listen(0, "127.0.0.1", done));
for (const [name, { write, open }] of Object.entries(storages)) {
  const profile = mkdtempSync(join(tmpdir(), "ranklet-stores-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath: chromiumExecutable(), args: quietFlags });
  const visit = async () => {
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return page;
  };
  const writing = await visit();
  const results = [await measured(writing, write)];
  await writing.close();
  const reading = await visit();
  for (const step of [open, read]) results.push(await measured(reading, step));
  const [written, opened, done] = results.map(({ ms, peak }) => `${(ms / 1000).toFixed(2)} s, ${peak.toFixed(0)} MB`);
  console.log(`${name}: write ${written}; open ${opened}; read ${done}`);
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
server.close();

/** Runs a step in a page. Returns its time, and the peak of memory beyond that at its start in MB. */
async function measured(page, step) {
  const memoryMB = () => unmappedMemoryOfDescendants() / 2 ** 20;
  const before = memoryMB();
  let peak = before;
  const watching = setInterval(() => (peak = Math.max(peak, memoryMB())), 150);
  const ms = await page.evaluate(
    async ([code, MB, size]) => {
      const started = performance.now();
      // biome-ignore lint/security/noGlobalEval: the step is a function of this file, sent to the page as text
      globalThis.stored = (await globalThis.eval(`(${code})`)(MB, size)) ?? globalThis.stored;
      return performance.now() - started;
    },
    [String(step), 1 << 20, megabytes],
  );
  clearInterval(watching);
  return { ms, peak: peak - before };
}
