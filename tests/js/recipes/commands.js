// Runs the commands of a README as a shell does, with time limits.
import assert from "node:assert/strict";

import { runCommand, startGroup } from "../support/children/commands.js";
import { until } from "../support/until.js";

/** Commands print no colors, ask nothing and report nothing. */
const env = { CI: "1", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" };
// npm's own settings for the tests do not apply to the project.
for (const name of Object.keys(process.env)) if (name.startsWith("npm_")) env[name] = undefined;

/** Runs a command to its end and resolves to what it printed. */
export async function run(line, cwd, timeout) {
  const { status, stdout, output } = await runCommand("sh", ["-c", line], { cwd, env, timeout });
  if (status !== 0) throw new Error(`${line}: ${status === null ? `not done after ${timeout} ms` : `status ${status}`}\n${output}`);
  return stdout;
}

/** Starts a command that does not end, and resolves to the address that it prints and a function that stops it. */
export async function startCommand(line, cwd, timeout) {
  const { stop, ended, stdout, output } = startGroup("sh", ["-c", line], { cwd, env });
  const address = () => /http:\/\/(?:localhost|127\.0\.0\.1):\d+\/?/.exec(stdout())?.[0];
  let hasEnded = false;
  ended.then(() => (hasEnded = true));
  try {
    await until(() => address() !== undefined || hasEnded, timeout);
    assert.ok(!hasEnded, "it ended");
  } catch (error) {
    await stop();
    throw new Error(`${line} prints no address: ${error.message}\n${output()}`);
  }
  return { url: address(), stop };
}
