import { spawn, spawnSync } from "node:child_process";

/** Runs a Node script until it ends and returns { status, stdout, stderr }. */
export function runNode(script, cwd) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd, encoding: "utf8", timeout: 120_000 });
  return { status, stdout, stderr };
}

/** Max time in milliseconds until a server has written its address, and until a process has ended after SIGTERM. */
const maxStartMs = 120_000;
const maxStopMs = 20_000;

/** Returns a function that ends `child`, and resolves once it has ended: to whether SIGTERM did not end it and SIGKILL had to. */
export function stopperOf(child) {
  const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
  return async () => {
    child.kill();
    let isKilled = false;
    const timer = setTimeout(() => (isKilled = child.kill("SIGKILL")), maxStopMs);
    await ended;
    clearTimeout(timer);
    return isKilled;
  };
}

/**
 * Starts a server and waits for the line with its address.
 * @param {RegExp} pattern matches the line; its first group is returned as `found`
 * @param {number} descriptor the file descriptor to which the server writes the line
 */
export async function startServer(command, args, { pattern, descriptor = 1, env = {} }) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  const stop = stopperOf(child);
  let timer;
  let output = "";
  let errors = "";
  child.stdio[2].on("data", (data) => (errors += data));
  try {
    const found = await new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${command} did not write its address: ${output}${errors}`)), maxStartMs);
      child.once("error", reject);
      child.once("exit", (status, signal) => reject(new Error(`${command} ended with ${status ?? signal}: ${errors}`)));
      child.stdio[descriptor].on("data", (data) => {
        output += data;
        const match = pattern.exec(output);
        if (match !== null) resolve(match[1]);
      });
    });
    return { found, stop, errors: () => errors };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
