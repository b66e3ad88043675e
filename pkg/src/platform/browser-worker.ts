import { newWorker } from "../assets.js";
import { RankletError, messageOf } from "../errors.js";
import { isObject } from "../util/check.js";
import type { WorkerPort } from "../worker/port.js";

let count = 0;

/** Starts a worker in a browser. */
export function startWorker(): WorkerPort {
  // No other worker of this origin may have the name, for it is also that of a lock.
  const name = `ranklet ${count++} ${Date.now()} ${Math.random()}`;
  const worker = open(name);
  const watching = new AbortController();
  return {
    post: (request) => worker.postMessage(request),
    listen: (onMessage, onEnd) => {
      worker.onmessage = ({ data }: MessageEvent<unknown>) => {
        // "ready" says that it holds its lock. Other messages can come before: whoever gets the lock now outlives it.
        if (isReady(data)) whenFree(name, watching.signal, () => onEnd("it stopped without a word"));
        onMessage(data);
      };
      worker.onerror = (event) => onEnd(event.message || "its program could not be loaded");
      worker.onmessageerror = () => onEnd("it sent a message that cannot be read");
    },
    keepAlive: () => {},
    terminate: () => {
      watching.abort();
      worker.terminate();
    },
  };
}

/** Pages without https have no locks: there, a worker that stops without an error is not noticed. */
function whenFree(name: string, signal: AbortSignal, then: () => void): void {
  navigator.locks?.request(name, { signal }, then).catch(() => {}); // Aborted, or not allowed here.
}

/** Pages may not start workers of other origins, and in some frames none at all. */
function open(name: string): Worker {
  try {
    return newWorker(name);
  } catch (error) {
    throw new RankletError("unsupported", `the worker cannot be started (${messageOf(error)}): serve the package from the page's own origin, or use workers: 0`, { cause: error });
  }
}

function isReady(message: unknown): boolean {
  return isObject(message) && message["type"] === "ready";
}
