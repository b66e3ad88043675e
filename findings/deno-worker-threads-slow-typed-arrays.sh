#!/usr/bin/env bash
# In Deno 2.9.6, `postMessage` of node:worker_threads takes far longer for a Uint8Array than for its ArrayBuffer: about 100
# milliseconds per megabyte on a quiet machine, against less than one. Node takes about a millisecond for both. A library
# that posts files to its workers as Uint8Arrays, as is usual in Node, seems to hang for files of some tens of megabytes.
#
# Seen, for 1 MB: Uint8Array 417 ms, ArrayBuffer 5 ms in Deno 2.9.6; 1.5 ms and 9.8 ms in Node 20.20 (a busy machine).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --no-audit --no-fund --silent deno@2.9.6
cat >worker.mjs <<'JAVASCRIPT'
import { parentPort } from "node:worker_threads";

parentPort.on("message", ({ byteLength }) => parentPort.postMessage(byteLength));
JAVASCRIPT
cat >main.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";

const worker = new Worker(new URL("worker.mjs", import.meta.url));
const milliseconds = (message) =>
  new Promise((resolve) => {
    const start = performance.now();
    worker.once("message", () => resolve(performance.now() - start));
    worker.postMessage(message);
  });
await milliseconds(new ArrayBuffer(1));
const bytes = 1 << 20;
const array = await milliseconds(new Uint8Array(bytes));
const buffer = await milliseconds(new ArrayBuffer(bytes));
worker.terminate();
console.log(`Uint8Array ${array.toFixed(1)} ms, ArrayBuffer ${buffer.toFixed(1)} ms`);
assert.ok(array > 5 * buffer, "the behavior has changed");
JAVASCRIPT
npx --no-install deno run --allow-all main.mjs
