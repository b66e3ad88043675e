// The worker's program in Node.
import { setImmediate } from "node:timers";
import { parentPort } from "node:worker_threads";

import { ThreadEngine } from "../engine/thread-engine.js";
import { Host } from "./host.js";

if (parentPort === null) throw new Error("this file is the program of a worker; do not import it");
const port = parentPort;
const nextTask = (): Promise<void> => new Promise((done) => void setImmediate(done));
const host = new Host({ post: (reply, transfer = []) => port.postMessage(reply, transfer) }, new ThreadEngine(nextTask));
port.on("message", (message) => host.receive(message));
port.postMessage({ type: "ready" });
