import { newWorker, workerUrl } from "../assets.js";
import { messageOf } from "../errors.js";
import { isObject } from "../util/check.js";
import type { WorkerPort } from "../worker/port.js";
import { WorkerStartError } from "../worker/worker-start-error.js";

let count = 0;

/** Starts a worker in a browser. */
export function startWorker(): WorkerPort {
  // The name is also that of a lock, so it must be unique in this origin.
  const name = `ranklet ${count++} ${Date.now()} ${Math.random()}`;
  const worker = open(name);
  const watching = new AbortController();
  return {
    post: (request) => worker.postMessage(request),
    listen: (onMessage, onEnd) => {
      worker.onmessage = ({ data }: MessageEvent<unknown>) => {
        // After "ready" the worker holds its lock until it ends, so getting the lock means that it has ended.
        if (isReady(data)) whenFree(name, watching.signal, () => onEnd("it stopped without an error"));
        onMessage(data);
      };
      worker.onerror = (event) => onEnd(event.message || "its program could not be loaded; if a content security policy forbids it, allow it with worker-src");
      worker.onmessageerror = () => onEnd("it sent a message that cannot be deserialized");
    },
    keepAlive: () => {},
    terminate: () => {
      watching.abort();
      worker.terminate();
    },
  };
}

/** Calls `then` when the lock is free. Pages without https have no locks, and cannot detect a worker that stops silently. */
function whenFree(name: string, signal: AbortSignal, then: () => void): void {
  navigator.locks?.request(name, { signal }, then).catch(() => {}); // The wait was aborted, or locks are not allowed here.
}

/** Starts the worker. Pages may not start workers from other origins directly, and in some frames none at all. */
function open(name: string): Worker {
  try {
    return newWorker(name);
  } catch (error) {
    try {
      if (workerUrl().origin !== globalThis.location.origin) return openForeign(workerUrl(), name);
    } catch {
      // The first error says more.
    }
    throw new WorkerStartError("unsupported", `the worker cannot be started (${messageOf(error)}); serve the package from the page's own origin, or use workers: 0`, { cause: error });
  }
}

/** Starts a program from another origin, with a script of the page's own origin. A policy that forbids it is reported later. */
function openForeign(program: URL, name: string): Worker {
  const script = URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(program.href)});`], { type: "text/javascript" }));
  const worker = new Worker(script, { name });
  for (const event of ["message", "error"]) worker.addEventListener(event, () => URL.revokeObjectURL(script), { once: true });
  return worker;
}

function isReady(message: unknown): boolean {
  return isObject(message) && message["type"] === "ready";
}
