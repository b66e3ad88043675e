import { readFileSync, readdirSync } from "node:fs";

/** Returns the memory in bytes of all processes that this one has started, directly or not. Shared pages are divided among their processes. */
export function memoryOfChildren() {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    // The fields after the program's name, which may contain spaces.
    const fields = read(pid, "stat")?.replace(/^.*\) /s, "").split(" ");
    if (fields !== undefined) parents.set(Number(pid), Number(fields[1]));
  }
  const isChild = (pid) => pid !== undefined && pid !== 0 && (parents.get(pid) === process.pid || isChild(parents.get(pid)));
  let kilobytes = 0;
  for (const pid of parents.keys()) if (isChild(pid)) kilobytes += Number(/^Pss: +(\d+) kB$/m.exec(read(pid, "smaps_rollup") ?? "")?.[1] ?? 0);
  return kilobytes * 1024;
}

/** Reads a file of a process; `undefined` if it has ended. */
function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}
