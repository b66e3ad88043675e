import { existsSync, readdirSync, readFileSync } from "node:fs";

import { root } from "../paths.js";

const folder = new URL("tests/fixtures/", root);

/** Returns the seed example { query, documents, logits, scores }, with the numbers of the default model's q8 file. */
export function seed() {
  return readJson(new URL("seed.json", folder));
}

/** Returns the seed example with the numbers of the small model's q4 file. */
export function smallSeed() {
  return readJson(new URL("seed_small.json", folder));
}

/** Returns small BERT checkpoints with scores of the reference: { name, url, expected: { num_labels, pairs, logits, scores } }. */
export function checkpoints() {
  return checkpointsIn(folder);
}

/** Returns the checkpoints of the other families, except those that `refused` matches. */
export function families() {
  return checkpointsIn(new URL("families/", folder)).filter(({ name }) => !refused.test(name));
}

/** Returns a checkpoint of another family by its name. */
export function family(name) {
  const url = new URL(`families/${name}/`, folder);
  return { name, url, expected: readJson(new URL("expected.json", url)) };
}

/** Fixtures of models that the package does not support. */
export const refused = /^qwen[23]-/;

function checkpointsIn(folder) {
  const found = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const url = new URL(`${entry.name}/`, folder);
    const expected = new URL("expected.json", url);
    if (entry.isDirectory() && existsSync(expected)) found.push({ name: entry.name, url, expected: readJson(expected) });
  }
  if (found.length === 0) throw new Error(`${folder.pathname} has no folder with an expected.json`);
  return found;
}

/** Returns the first BERT checkpoint whose number of labels `wanted` accepts. */
export function checkpoint(wanted) {
  const found = checkpoints().find(({ expected }) => wanted(expected.num_labels));
  if (found === undefined) throw new Error("tests/fixtures has no checkpoint with that many labels");
  return found;
}

function readJson(url) {
  return JSON.parse(readFileSync(url, "utf8"));
}
