// The program of the worker in browsers. It fetches nothing: the compiled engine and the model come as messages.
import { nextTask } from "../platform/next-task.js";
import { Host } from "./host.js";
import type { Reply } from "./protocol.js";

/** What is used of a worker's global scope; TypeScript has its types or a page's, not both. */
declare const self: {
  readonly name: string;
  readonly navigator: Partial<Navigator>;
  onmessage: (event: MessageEvent<unknown>) => void;
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
};

const host = new Host({ post: (reply, transfer = []) => self.postMessage(reply, transfer), nextTask });
self.onmessage = ({ data }) => host.receive(data);

// A worker can stop without a word. Then the lock named like it is free, and whoever waits for that knows.
const ready = (): void => self.postMessage({ type: "ready" }, []);
const { locks } = self.navigator;
if (locks === undefined) ready();
else {
  const held = (): Promise<never> => {
    ready();
    return new Promise(() => {});
  };
  locks.request(self.name, held).catch(() => {}); // Not allowed here: then nobody hears that it is ready, or waits for it.
}
