import type { Request } from "./protocol.js";

/** A worker as seen from outside, the same in every runtime. */
export interface WorkerPort {
  post(request: Request): void;
  /** Hears every message, and why the worker ended; what comes after that, or after `terminate`, means nothing. */
  listen(onMessage: (message: unknown) => void, onEnd: (reason: string) => void): void;
  /** Whether the process should wait for the worker; pages never do. */
  keepAlive(wanted: boolean): void;
  terminate(): void;
}
