import { Worker } from "node:worker_threads";

import { workerUrl } from "../assets.node.js";
import { messageOf } from "../errors.js";
import type { WorkerPort } from "../worker/port.js";

/** Starts a worker in Node. */
export function startWorker(): WorkerPort {
  return portOf(new Worker(workerUrl, { name: "ranklet" }));
}

/** Wraps a worker thread. */
export function portOf(worker: Worker): WorkerPort {
  return {
    post: (request) => worker.postMessage(request),
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
