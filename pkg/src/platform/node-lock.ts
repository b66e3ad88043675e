import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";

import { abortable } from "../util/abort.js";

/** How often a waiting process looks at the lock. */
const pollMs = 100;
/** How often the owner of a lock renews it. */
const renewMs = 5_000;
/** A lock that was not renewed for this time is free: its owner was killed on another machine, or was stopped. */
const maxAgeMs = 60_000;

/**
 * Runs `task` while no other process has the lock, which is a file with this path. If the file cannot be created, as in a
 * read-only folder, runs it at once.
 * @param signal ends the wait
 */
export async function withFileLock<T>(path: string, task: (isLocked: boolean) => Promise<T>, signal: AbortSignal): Promise<T> {
  const content = JSON.stringify({ host: host(), pid: process.pid, id: randomUUID() });
  if (!(await acquire(path, content, signal))) return task(false);
  const renewing = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), renewMs);
  renewing.unref();
  try {
    return await task(true);
  } finally {
    clearInterval(renewing);
    if ((await contentOf(path)) === content) await rm(path, { force: true }).catch(() => {});
  }
}

/** Waits for the lock. Returns `false` if it cannot be created. */
async function acquire(path: string, content: string, signal: AbortSignal): Promise<boolean> {
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch {
    return false;
  }
  for (;;) {
    try {
      await writeFile(path, content, { flag: "wx" });
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) return false;
    }
    const owner = await contentOf(path);
    if (owner !== undefined && (await isAbandoned(path, owner))) await removeLock(path, owner);
    else await abortable(new Promise((resolve) => setTimeout(resolve, pollMs)), signal);
  }
}

/** Removes an abandoned lock. It is moved first, so that only one of several waiting processes removes it. */
async function removeLock(path: string, owner: string): Promise<void> {
  const moved = `${path}.${randomUUID()}`;
  try {
    await rename(path, moved);
    // Another process was faster, and this is the new owner's lock.
    if ((await contentOf(moved)) !== owner) await link(moved, path);
  } catch {
    // The lock is gone, or there is another one already.
  }
  await rm(moved, { force: true }).catch(() => {});
}

async function isAbandoned(path: string, owner: string): Promise<boolean> {
  try {
    if (Date.now() - (await stat(path)).mtimeMs > maxAgeMs) return true;
    const { host: ownerHost, pid } = JSON.parse(owner) as { host: string; pid: number };
    return ownerHost === host() && pid !== process.pid && !isRunning(pid);
  } catch {
    return false; // The lock is gone, or its owner is writing it.
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Other errors, such as a missing permission, do not tell.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

async function contentOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}

function host(): string {
  try {
    return hostname();
  } catch {
    return ""; // Deno throws without the permission.
  }
}
