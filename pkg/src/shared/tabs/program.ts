// The program of the shared worker that holds a model for all tabs. It requests nothing: the tabs send the model's files.
import { holdForever, uniqueName } from "../../util/locks.js";
import { SharedModel } from "./shared-model.js";

/** The used part of a shared worker's global scope. */
declare const self: {
  /** The name of a lock that tabs hold together while they use this worker. */
  readonly name: string;
  onconnect: (event: MessageEvent<unknown>) => void;
  close(): void;
};

const lock = uniqueName();
// If locks are not allowed here, "ready" is never sent, and the tab does without this worker.
const watched = holdForever(lock);

/** The first wait in milliseconds before another attempt to end. It doubles up to the second. */
const [firstEndMs, maxEndMs] = [100, 10_000];

let ending: ReturnType<typeof setTimeout> | undefined;
const model = new SharedModel({
  onFirst: () => clearTimeout(ending),
  onLast: () => endLater(firstEndMs),
});

/**
 * Ends this worker if it gets the lock alone, so that no tab connects to a worker that is ending. It does not wait for the lock,
 * because other tabs would wait behind it, such as those with another version of the package, whose shared worker is another one.
 */
function endLater(waitMs: number): void {
  ending = setTimeout(() => {
    const end = (lock: Lock | null): Promise<never> | undefined => {
      if (lock === null || model.isUsed) return undefined;
      self.close();
      return new Promise(() => {});
    };
    void navigator.locks.request(self.name, { ifAvailable: true }, end).then(() => {
      if (!model.isUsed) endLater(Math.min(2 * waitMs, maxEndMs));
    });
  }, waitMs);
}

self.onconnect = ({ ports }) => {
  for (const port of ports) {
    model.connect(port);
    void watched.then(() => port.postMessage({ type: "ready", lock }));
  }
};
