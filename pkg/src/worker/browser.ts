// The worker's program in browsers. It fetches nothing: the compiled engine and the model arrive as messages.
import { nextTask } from "../platform/next-task.js";
import { Host } from "./host.js";
import type { Reply } from "./protocol.js";

/** The used part of a worker's global scope. TypeScript's libraries of pages and workers exclude each other. */
declare const self: {
  readonly name: string;
  readonly navigator: Partial<Navigator>;
  onmessage: (event: MessageEvent<unknown>) => void;
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
};

const host = new Host({ post: (reply, transfer = []) => self.postMessage(reply, transfer), nextTask });
self.onmessage = ({ data }) => host.receive(data);

// Browsers do not report a worker that stops. So it holds a lock of its own name, and the page waits for that lock.
const ready = (): void => self.postMessage({ type: "ready" }, []);
const { locks } = self.navigator;
if (locks === undefined) ready();
else {
  const holdForever = (): Promise<never> => {
    ready();
    return new Promise(() => {});
  };
  locks.request(self.name, holdForever).catch(() => {}); // Locks are not allowed here. Then "ready" is never sent, and the page does not watch this worker.
}
