// The program of the shared worker that holds a model for all tabs. It requests nothing: the tabs send the model's files.
import { uniqueName } from "../../util/locks.js";
import { SharedModel } from "./shared-model.js";

/** The used part of a shared worker's global scope. */
declare const self: {
  /** The name of a lock that tabs hold together while they use this worker. */
  readonly name: string;
  onconnect: (event: MessageEvent<unknown>) => void;
  close(): void;
};

const lock = uniqueName();
const forever = (): Promise<never> => new Promise(() => {});
const watched = new Promise<void>((resolve) => {
  const holdForever = (): Promise<never> => {
    resolve();
    return forever();
  };
  navigator.locks.request(lock, holdForever).catch(() => {}); // Then "ready" is never sent, and the tab does without this worker.
});

let ending = new AbortController();
const model = new SharedModel({
  onFirst: () => ending.abort(),
  // A tab that begins to connect now holds the lock. It either joins, or this worker ends after it has given up.
  onLast: () => {
    ending = new AbortController();
    const end = (): Promise<never> => {
      self.close();
      return forever(); // So that no tab connects to a worker that is ending.
    };
    navigator.locks.request(self.name, { signal: ending.signal }, end).catch(() => {}); // A tab has joined.
  },
});

self.onconnect = ({ ports }) => {
  for (const port of ports) {
    model.connect(port);
    void watched.then(() => port.postMessage({ type: "ready", lock }));
  }
};
