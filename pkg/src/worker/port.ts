import type { Request } from "./protocol.js";

/** A worker, as the thread that started it sees it; the same in every runtime. */
export interface WorkerPort {
  post(request: Request): void;
  /** Whether a Blob in a message would never be freed. Files are then sent as shared memory. */
  readonly leaksBlobs?: boolean;
  /** Registers the receivers of messages and of the worker's end. Whatever follows the end, or `terminate`, must be ignored. */
  listen(onMessage: (message: unknown) => void, onEnd: (reason: string) => void): void;
  /** Sets whether the process stays alive for the worker. Pages ignore it. */
  keepAlive(alive: boolean): void;
  terminate(): void;
}
