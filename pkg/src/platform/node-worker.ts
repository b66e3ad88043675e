import { existsSync } from "node:fs";
import { type Transferable, Worker } from "node:worker_threads";

import { workerUrl } from "../assets.node.js";
import { messageOf } from "../errors.js";
import type { WorkerPort } from "../worker/port.js";
import { WorkerStartError } from "../worker/worker-start-error.js";

/**
 * Starts a worker in Node.
 * @throws WorkerStartError if its program does not exist, or the runtime starts no workers
 */
export function startWorker(): WorkerPort {
  const url = workerUrl();
  // Checked here, because a Worker reports it only later.
  if (!existsSync(url)) throw cannotStart(`there is no ${url.href}; copy it from node_modules/ranklet/dist/assets, or use workers: 0`);
  try {
    return portOf(new Worker(url, { name: "ranklet" }));
  } catch (error) {
    throw cannotStart(messageOf(error), error);
  }
}

function cannotStart(why: string, cause?: unknown): WorkerStartError {
  return new WorkerStartError("unsupported", `the worker cannot be started: ${why}`, { cause });
}

/** Wraps a worker thread. */
export function portOf(worker: Worker): WorkerPort {
  return {
    post: (request, transfer = []) => worker.postMessage(request, transfer as Transferable[]),
    // Deno 2.9 frees a Blob that is posted to a worker neither when it is collected nor when the worker ends.
    leaksBlobs: "Deno" in globalThis,
    isLocal: true,
    listen: (onMessage, onEnd) => {
      worker.on("message", onMessage);
      worker.on("messageerror", () => onEnd("it sent a message that cannot be deserialized"));
      worker.on("error", (error) => onEnd(messageOf(error)));
      worker.on("exit", (code) => onEnd(`it exited with code ${code}`));
    },
    keepAlive: (alive) => (alive ? worker.ref() : worker.unref()),
    terminate: () => void worker.terminate(),
  };
}
