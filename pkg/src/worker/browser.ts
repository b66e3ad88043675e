// The worker's program in browsers. It fetches nothing: the compiled engine and the model arrive as messages.
import { ThreadEngine } from "../engine/thread-engine.js";
import { nextTask } from "../platform/next-task.js";
import { isObject } from "../util/check.js";
import { holdForever } from "../util/locks.js";
import { typeTag } from "../util/type-tag.js";
import { Host } from "./host.js";
import type { Reply } from "./protocol.js";

/** The used part of a worker's global scope. TypeScript's libraries of pages and workers exclude each other. */
declare const self: {
  readonly name: string;
  onmessage: (event: MessageEvent<unknown>) => void;
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
};

/** The connection to the thread that uses this worker: a page, or a shared worker for which a page has started it. */
type Port = Pick<typeof self, "postMessage">;

// Browsers do not report a worker that stops. So it holds a lock of its own name, and its user waits for that lock.
// If locks are not allowed here, "ready" is never sent, and this worker is not watched.
const watched = holdForever(self.name);

const host = serve(self);
self.onmessage = ({ data, ports }) => {
  const module = isObject(data) && data["type"] === "connect" ? data["module"] : undefined;
  const [port] = ports;
  // A compiled module cannot be sent from a shared worker to this one, so the page sends it.
  if (port !== undefined && typeTag(module) === "WebAssembly.Module") connect(port, module as WebAssembly.Module);
  else host.receive(data);
};

function connect(port: MessagePort, module: WebAssembly.Module): void {
  const connected = serve(port, module);
  port.onmessage = ({ data }) => connected.receive(data);
}

function serve(port: Port, module?: WebAssembly.Module): Host {
  void watched.then(() => port.postMessage({ type: "ready" }, []));
  return new Host({ post: (reply, transfer = []) => port.postMessage(reply, transfer) }, new ThreadEngine(nextTask, module));
}
