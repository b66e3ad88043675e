import { spawn, spawnSync } from "node:child_process";

/** Runs a Node script until it ends and returns { status, stdout, stderr }. */
export function runNode(script, cwd) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { cwd, encoding: "utf8", timeout: 120_000 });
  return { status, stdout, stderr };
}

/**
 * Starts a server and waits for the line with its address.
 * @param {RegExp} pattern matches the line; its first group is returned as `found`
 * @param {number} descriptor the file descriptor to which the server writes the line
 */
export async function startServer(command, args, { pattern, descriptor = 1, env = {} }) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let errors = "";
  child.stdio[2].on("data", (data) => (errors += data));
  const found = await new Promise((resolve, reject) => {
    let output = "";
    child.once("error", reject);
    child.once("exit", (status) => reject(new Error(`${command} ended with ${status}: ${errors}`)));
    child.stdio[descriptor].on("data", (data) => {
      output += data;
      const match = pattern.exec(output);
      if (match !== null) resolve(match[1]);
    });
  });
  const stop = () => {
    if (child.exitCode !== null) return Promise.resolve();
    child.removeAllListeners("exit");
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    return ended;
  };
  return { found, stop, errors: () => errors };
}
