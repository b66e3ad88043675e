import { readdirSync, readFileSync } from "node:fs";

/** Returns the memory in MB of this process's descendants, without files that are mapped into it. Linux only. */
export function memoryOfDescendants() {
  let sum = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      if (!isDescendant(Number(pid))) continue;
      const usage = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      for (const kind of ["Pss_Anon", "Pss_Shmem"]) sum += Number(new RegExp(`^${kind}: +(\\d+)`, "m").exec(usage)?.[1] ?? 0);
    } catch {
      // The process has ended.
    }
  }
  return sum / 1024;
}

function isDescendant(pid) {
  for (let current = pid; current > 1; current = Number(readFileSync(`/proc/${current}/stat`, "utf8").replace(/^.*\) /s, "").split(" ")[1])) {
    if (current === process.pid) return pid !== process.pid;
  }
  return false;
}
