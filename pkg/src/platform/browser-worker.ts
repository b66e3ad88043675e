import { newWorker, workerUrl } from "../assets.js";
import { messageOf } from "../errors.js";
import { isObject } from "../util/check.js";
import { uniqueName, whenFree } from "../util/locks.js";
import { isReady } from "../worker/guards/replies.js";
import type { WorkerPort } from "../worker/port.js";
import { WorkerStartError } from "../worker/worker-start-error.js";

/** The reason for the end of a worker whose program did not start. */
export const programNotLoaded = "its program could not be loaded; if a content security policy forbids it, allow it with worker-src";

/** Starts a worker in a browser. */
export function startWorker(): WorkerPort {
  // The name is also that of a lock.
  const name = uniqueName();
  const worker = openWorker(name);
  const watching = new AbortController();
  return {
    post: (request, transfer = []) => worker.postMessage(request, [...transfer]),
    listen: (onMessage, onEnd) => {
      worker.onmessage = ({ data }: MessageEvent<unknown>) => {
        // After "ready" the worker holds its lock until it ends, so getting the lock means that it has ended.
        if (isObject(data) && isReady(data)) whenFree(name, watching.signal, () => onEnd("it stopped without an error"));
        onMessage(data);
      };
      worker.onerror = (event) => onEnd(event.message || programNotLoaded);
      worker.onmessageerror = () => onEnd("it sent a message that cannot be deserialized");
    },
    keepAlive: () => {},
    terminate: () => {
      watching.abort();
      worker.terminate();
    },
  };
}

/**
 * Starts the worker's program. Pages may not start workers from other origins directly, and in some frames none at all.
 * @throws WorkerStartError
 */
export function openWorker(name: string): Worker {
  try {
    return newWorker(name);
  } catch (error) {
    try {
      if (workerUrl().origin !== globalThis.location.origin) return openForeign(workerUrl(), name);
    } catch {
      // The first error says more.
    }
    throw new WorkerStartError(
      "unsupported",
      `the worker cannot be started (${messageOf(error)}); serve the package from the page's own origin, or use workers: 0`,
      { cause: error },
    );
  }
}

/** Starts a program from another origin, with a script of the page's own origin. A policy that forbids it is reported later. */
function openForeign(program: URL, name: string): Worker {
  const script = URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(program.href)});`], { type: "text/javascript" }));
  const worker = new Worker(script, { name });
  for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(script), { once: true });
  return worker;
}
