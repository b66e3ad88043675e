// The processor time of the programs that the bench has started. Other load on the machine changes it less than the time on
// the clock.
import { readdirSync, readFileSync } from "node:fs";

/**
 * Returns the processor time in milliseconds of all running descendants of this process, such as Chromium's processes;
 * undefined if the system does not report it.
 */
export function descendantsMs() {
  const children = new Map();
  for (const id of numbersIn("/proc")) {
    const parent = parentOf(id);
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id]);
  }
  if (children.size === 0) return undefined;
  const waiting = [...(children.get(process.pid) ?? [])];
  let total = 0;
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    total += processMs(id);
    waiting.push(...(children.get(id) ?? []));
  }
  return total;
}

/** Returns the time of a process's running threads. */
function processMs(id) {
  const nanoseconds = numbersIn(`/proc/${id}/task`).map((thread) => Number(textOf(`/proc/${id}/task/${thread}/schedstat`).split(" ")[0]));
  return nanoseconds.reduce((sum, time) => sum + time, 0) / 1e6;
}

function parentOf(id) {
  // The name before the state and the parent is in parentheses, and may contain more of them.
  const [, parent] = textOf(`/proc/${id}/stat`).split(") ").at(-1).split(" ");
  return parent === undefined ? undefined : Number(parent);
}

function numbersIn(folder) {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return []; // The process has ended, or the system has no such folder.
  }
}

function textOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
