import { newWorker } from "../assets.js";
import type { WorkerPort } from "../worker/port.js";
import { parseReply } from "../worker/protocol.js";

let count = 0;

/** Starts a worker in a browser. */
export function startWorker(): WorkerPort {
  // No other worker of this origin may have the name, for it is also that of a lock.
  const name = `ranklet ${count++} ${Date.now()} ${Math.random()}`;
  const worker = newWorker(name);
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
  navigator.locks?.request(name, { signal }, then).catch(() => {}); // Rejected only by the signal.
}

function isReady(message: unknown): boolean {
  const reply = parseReply(message);
  return typeof reply === "object" && reply.type === "ready";
}
