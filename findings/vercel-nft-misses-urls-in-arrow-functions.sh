#!/usr/bin/env bash
# @vercel/nft 1.11.5, which decides what files Next.js and Vercel's functions deploy, finds the file of
# `new URL("./x.txt", import.meta.url)` in a constant, in a property and in a function with a block, but not in an arrow
# function whose body is that expression. The function is deployed without the file, and without a warning.
#
# Seen: constant, property, block: traced; arrow: not traced (Node 20.20).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --no-audit --no-fund --silent @vercel/nft@1.11.5
echo text >x.txt
echo 'export const url = new URL("./x.txt", import.meta.url);' >constant.mjs
echo 'export const urls = { x: new URL("./x.txt", import.meta.url) };' >property.mjs
echo 'export const url = () => { return new URL("./x.txt", import.meta.url); };' >block.mjs
echo 'export const url = () => new URL("./x.txt", import.meta.url);' >arrow.mjs
cat >trace.mjs <<'JAVASCRIPT'
import assert from "node:assert/strict";
import { nodeFileTrace } from "@vercel/nft";

const traced = {};
for (const name of ["constant", "property", "block", "arrow"]) {
  const { fileList } = await nodeFileTrace([`${name}.mjs`]);
  traced[name] = fileList.has("x.txt");
}
console.log(traced);
assert.deepEqual(traced, { constant: true, property: true, block: true, arrow: false }, "the behavior has changed");
JAVASCRIPT
node trace.mjs
