import { readdirSync, readFileSync } from "node:fs";

import { unlessProc } from "../skips.js";

/** Returns the memory in bytes of all processes that this one has started, directly or not; NaN except on Linux. */
export function memoryOfDescendants() {
  return sumOf("Pss");
}

/** As `memoryOfDescendants`, without files that are mapped into memory, such as a browser's program. */
export function unmappedMemoryOfDescendants() {
  return sumOf("Pss_Anon", "Pss_Shmem");
}

/** Adds up fields of smaps_rollup, in which shared pages are divided among their processes. */
function sumOf(...fields) {
  if (unlessProc("smaps_rollup")) return Number.NaN;
  let kilobytes = 0;
  for (const pid of descendants()) {
    const usage = read(pid, "smaps_rollup") ?? "";
    for (const field of fields) kilobytes += Number(new RegExp(`^${field}: +(\\d+) kB$`, "m").exec(usage)?.[1] ?? 0);
  }
  return kilobytes * 1024;
}

function descendants() {
  const parents = new Map();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    // The fields after the program's name, which may contain spaces.
    const fields = read(pid, "stat")
      ?.replace(/^.*\) /s, "")
      .split(" ");
    if (fields !== undefined) parents.set(Number(pid), Number(fields[1]));
  }
  const isDescendant = (pid) => pid !== undefined && pid !== 0 && (parents.get(pid) === process.pid || isDescendant(parents.get(pid)));
  return [...parents.keys()].filter(isDescendant);
}

/** Reads a file of a process; `undefined` if it has ended. */
function read(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}
