import { existsSync, readFileSync, readdirSync } from "node:fs";

import { root } from "../paths.js";

const folder = new URL("tests/fixtures/", root);

/** The seed example: { query, documents, logits, scores }, the numbers those of the default model's q8 file. */
export function seed() {
  return readJson(new URL("seed.json", folder));
}

/** The small checkpoints of BERT with scores from the reference: { name, url, expected: { num_labels, pairs, logits, scores } }. */
export function checkpoints() {
  return checkpointsIn(folder);
}

/** Those of the other families, but for the ones that `refused` names. */
export function families() {
  return checkpointsIn(new URL("families/", folder)).filter(({ name }) => !refused.test(name));
}

/** One of any family by its name. */
export function family(name) {
  const url = new URL(`families/${name}/`, folder);
  return { name, url, expected: readJson(new URL("expected.json", url)) };
}

/** Fixtures of models that are not read yet. */
export const refused = /^(qwen3|deberta-convolution)-/;

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

/** The smallest checkpoint with as many labels as `wanted` accepts. */
export function checkpoint(wanted) {
  const found = checkpoints().find(({ expected }) => wanted(expected.num_labels));
  if (found === undefined) throw new Error("tests/fixtures has no checkpoint with that many labels");
  return found;
}

function readJson(url) {
  return JSON.parse(readFileSync(url, "utf8"));
}
