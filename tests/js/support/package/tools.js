import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";

import { inRepository } from "../paths.js";

/** The programs that package.json of the tests installs. */
export const testTools = inRepository("tests/js/node_modules/.bin");

const installTimeout = 600_000;
const timeout = 300_000;

/** Installs tools of exact versions from the registry into a project. */
export function installTools(folder, ...tools) {
  execFileSync("npm", ["install", "--no-save", "--no-audit", "--no-fund", ...tools], {
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
    timeout: installTimeout,
  });
}

/**
 * Runs a tool in a folder and returns { status, output }. After five minutes it is ended, and the status is null.
 * @param {{ env?: Record<string, string>, tools?: string }} options additional environment variables; the folder with the
 *   program, by default that of the project's own tools
 */
export function runTool(folder, tool, args, { env = {}, tools = join(folder, "node_modules/.bin") } = {}) {
  const { status, stdout, stderr } = spawnSync(join(tools, tool), args, {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout,
  });
  return { status, output: stdout + stderr };
}

/** Runs a program of `testTools` in a folder, and asserts that it succeeds. */
export function runTestTool(folder, tool, ...args) {
  const { status, output } = runTool(folder, tool, args, { tools: testTools });
  assert.equal(status, 0, output);
}
