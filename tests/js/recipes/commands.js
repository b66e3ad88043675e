// Runs the commands of a README as a shell does, with time limits.
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Commands print no colors, ask nothing and report nothing. */
const environment = { ...process.env, CI: "1", NO_COLOR: "1", WRANGLER_SEND_METRICS: "false" };
// npm's own settings for the tests do not apply to the project.
for (const name of Object.keys(environment)) if (name.startsWith("npm_")) delete environment[name];

/** Runs a command to its end and resolves to what it printed. */
export async function run(line, cwd, timeout) {
  const { printed, closed, kill } = start(line, cwd);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill();
  }, timeout);
  const status = await closed;
  clearTimeout(timer);
  if (status !== 0 || isLate)
    throw new Error(`${line}: ${isLate ? `not done after ${timeout} ms` : `status ${status}`}\n${printed.stdout}${printed.stderr}`);
  return printed.stdout;
}

/** Starts a command that does not end, and resolves to the address that it prints and a function that stops it. */
export async function startCommand(line, cwd, timeout) {
  const { child, printed, closed, kill } = start(line, cwd);
  const stop = () => {
    kill();
    return closed;
  };
  const deadline = Date.now() + timeout;
  for (;;) {
    const url = /http:\/\/(?:localhost|127\.0\.0\.1):\d+\/?/.exec(printed.stdout)?.[0];
    if (url !== undefined) return { url, stop };
    if (Date.now() > deadline || child.exitCode !== null) {
      await stop();
      throw new Error(`${line} prints no address\n${printed.stdout}${printed.stderr}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Starts a command in a process group of its own, so that all its processes can be killed. */
function start(line, cwd) {
  const child = spawn("sh", ["-c", line], { cwd, env: environment, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].setEncoding("utf8").on("data", (text) => (printed[name] += text));
  const closed = once(child, "close").then(([status]) => status);
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // All of its processes have ended.
    }
  };
  return { child, printed, closed, kill };
}
