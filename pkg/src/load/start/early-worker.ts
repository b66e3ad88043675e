import type { WorkerPort } from "../../worker/port.js";

/** The first worker, started while the files are read and the engine is compiled. */
export class EarlyWorker {
  readonly #startWorker: () => WorkerPort;
  #port: WorkerPort | undefined;
  /** Whether a Blob in a message would never be freed. */
  readonly leaksBlobs: boolean = false;

  /** Starts the worker. If that fails, it is tried again when the worker is needed. */
  constructor(startWorker: () => WorkerPort) {
    this.#startWorker = startWorker;
    try {
      this.#port = keepingEvents(startWorker());
      this.leaksBlobs = this.#port.leaksBlobs === true;
    } catch {
      // The next attempt throws.
    }
  }

  /** Returns the worker at the first call, and starts another one at each further call. */
  readonly startWorker = (): WorkerPort => {
    const port = this.#port ?? this.#startWorker();
    this.#port = undefined;
    return port;
  };

  /** Ends the worker if it was not used. */
  end(): void {
    this.#port?.terminate();
    this.#port = undefined;
  }
}

/** Returns a port that keeps what happens before `listen` is called. */
function keepingEvents(port: WorkerPort): WorkerPort {
  const events: ((onMessage: (message: unknown) => void, onEnd: (reason: string) => void) => void)[] = [];
  let listeners: Parameters<WorkerPort["listen"]> | undefined;
  const handle = (event: (typeof events)[number]): void => {
    if (listeners === undefined) events.push(event);
    else event(...listeners);
  };
  port.listen(
    (message) => handle((onMessage) => onMessage(message)),
    (reason) => handle((_, onEnd) => onEnd(reason)),
  );
  return {
    ...port,
    listen: (...added) => {
      listeners = added;
      for (const event of events.splice(0)) event(...added);
    },
  };
}
