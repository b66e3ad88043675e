// Commands that start processes of their own, as the programs of frameworks do: all of them end with the command.
import { spawn } from "node:child_process";

/**
 * Runs a command until it ends, at most `timeout` milliseconds.
 * @returns `stdout`, `output`, which has the errors too, and `status`, which is null if the command was killed
 */
export async function runCommand(command, args, { timeout = 300_000, ...options }) {
  const running = startGroup(command, args, options);
  const timer = setTimeout(running.kill, timeout);
  const status = await running.ended;
  clearTimeout(timer);
  running.kill();
  await running.closed;
  return { status, stdout: running.stdout(), output: running.output() };
}

/**
 * Starts a server and waits until it answers, at most `timeout` milliseconds.
 * @returns {Promise<{ stop: () => Promise<void>, output: () => string }>}
 * @throws {Error} with its output, if it ends or does not answer
 */
export async function startListening(url, command, args, { timeout = 120_000, ...options }) {
  const running = startGroup(command, args, options);
  let hasEnded = false;
  running.ended.then(() => (hasEnded = true));
  for (const deadline = Date.now() + timeout; ; ) {
    const answers = await fetch(url, { signal: AbortSignal.timeout(timeout) }).then(
      () => true,
      () => false,
    );
    if (answers) return { stop: running.stop, output: running.output };
    if (hasEnded || Date.now() > deadline) {
      await running.stop();
      throw new Error(`${command} ${args.join(" ")} ${hasEnded ? "ended" : "does not answer"}: ${running.output()}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

/** Ends the groups that run. */
const kills = new Set();
const killAll = () => kills.forEach((kill) => kill());
process.once("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));

/**
 * Starts a command whose processes all end with this one.
 * @returns `kill`, which ends all its processes, and `stop`, which also waits; `ended` resolves to its status, and `closed` once it has
 *   printed everything; `stdout` and `output`, which has the errors too, return what it has printed
 */
export function startGroup(command, args, { cwd, env = {} }) {
  // Its own group, so that `kill` reaches the processes that it starts.
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let stdout = "";
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const ended = new Promise((resolve) => {
    child.once("error", (error) => resolve(void (output += error)));
    child.once("exit", resolve);
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const kill = () => {
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group has ended.
    }
    kills.delete(kill);
  };
  kills.add(kill);
  const stop = async () => {
    kill();
    await ended;
  };
  return { kill, stop, ended, closed, stdout: () => stdout, output: () => output };
}
