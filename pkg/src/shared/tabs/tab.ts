import { isObject } from "../../util/check.js";
import { uniqueName, whenFree } from "../../util/locks.js";
import { isReady } from "../../worker/guards/replies.js";
import type { WorkerPort } from "../../worker/port.js";
import type { Reply } from "../../worker/protocol.js";
import type { SharedScorer } from "../shared-scorer.js";
import type { SharedMessage } from "./messages.js";

/** A tab that uses the model, as the shared worker sees it. */
export class Tab {
  readonly #port: MessagePort;
  readonly #calls: MessagePort;
  /** The workers that the tab has started, each with the function that reports its end. */
  readonly #workers = new Map<string, (reason: string) => void>();
  /** The tab's part of the engine, once it has one. */
  scorer: SharedScorer | undefined;

  /**
   * @param port the connection to the tab
   * @param calls the port for calls, as those of worker/protocol.ts
   */
  constructor(port: MessagePort, calls: MessagePort) {
    this.#port = port;
    this.#calls = calls;
  }

  post(message: SharedMessage, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  reply(reply: Reply, transfer: Transferable[] = []): void {
    this.#calls.postMessage(reply, transfer);
  }

  /** Begins to receive calls. */
  listen(onRequest: (message: unknown) => void): void {
    this.#calls.onmessage = ({ data }) => onRequest(data);
  }

  /** Starts a worker in the tab. It ends with the tab. */
  startWorker(): WorkerPort {
    const name = uniqueName();
    const { port1: port, port2 } = new MessageChannel();
    const watching = new AbortController();
    const forget = (): void => {
      watching.abort();
      port.close();
      this.#workers.delete(name);
    };
    this.post({ type: "start", worker: name }, [port2]);
    return {
      post: (request, transfer = []) => port.postMessage(request, [...transfer]),
      listen: (onMessage, onEnd) => {
        const end = (reason: string): void => {
          forget();
          onEnd(reason);
        };
        this.#workers.set(name, end);
        port.onmessage = ({ data }) => {
          // After "ready" the worker holds its lock until it ends, so getting the lock means that it has ended.
          if (isObject(data) && isReady(data)) whenFree(name, watching.signal, () => end("it stopped without an error"));
          onMessage(data);
        };
        port.onmessageerror = () => end("it sent a message that cannot be deserialized");
      },
      keepAlive: () => {},
      terminate: () => {
        forget();
        this.post({ type: "terminate", worker: name });
      },
    };
  }

  /** Says that a worker of the tab has ended. */
  workerEnded(name: string, reason: string): void {
    this.#workers.get(name)?.(reason);
  }

  /** Ends the tab's calls and its workers. */
  end(): void {
    this.scorer?.dispose();
    for (const end of [...this.#workers.values()]) end("its tab was closed, or needs it no longer");
    this.#calls.close();
    this.#port.close();
  }
}
