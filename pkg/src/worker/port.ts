import type { Request } from "./protocol.js";

/** An object that moves to a worker with a message instead of being copied. */
export type Movable = ArrayBuffer | MessagePort;

/** A worker, as the thread that started it sees it; the same in every runtime. */
export interface WorkerPort {
  /** @param transfer parts of the request that move to the worker */
  post(request: Request, transfer?: readonly Movable[]): void;
  /** Whether a Blob in a message would never be freed. Files are then sent as shared memory. */
  readonly leaksBlobs?: boolean;
  /** Whether the program is a local file, so that workers which are started later request nothing. */
  readonly isLocal?: boolean;
  /** Registers the receivers of messages and of the worker's end. Whatever follows the end, or `terminate`, must be ignored. */
  listen(onMessage: (message: unknown) => void, onEnd: (reason: string) => void): void;
  /** Sets whether the process stays alive for the worker. Pages ignore it. */
  keepAlive(alive: boolean): void;
  terminate(): void;
}
