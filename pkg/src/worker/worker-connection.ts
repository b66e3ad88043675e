import { throwIfAborted } from "../util/abort.js";
import { RankletError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { Part } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import type { WorkerPort } from "./port.js";
import { parseReply, type Reply, type Request } from "./protocol.js";

interface Waiting {
  readonly onPart: ((part: Part) => void) | undefined;
  readonly resolve: (info: ModelInfo | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Who follows a call. */
interface Follower {
  readonly signal?: AbortSignal | undefined;
  readonly onPart?: (part: Part) => void;
}

/** One living worker and the calls it has to answer. When it ends, they are rejected. */
export class Connection {
  readonly #port: WorkerPort;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;
  #end: RankletError | undefined;
  #markEnded!: () => void;
  /** Resolves when no more calls can be made. */
  readonly ended = new Promise<void>((resolve) => (this.#markEnded = resolve));
  #info: ModelInfo | undefined;

  constructor(port: WorkerPort) {
    this.#port = port;
    port.listen(
      (message) => this.#receive(message),
      (reason) => this.close(new RankletError("internal", `the worker ended (${reason})`)),
    );
  }

  /**
   * Sends a request and waits for its answer: the model's description for `load`, nothing for others.
   * @param make gets the call's number
   * @throws RankletError `aborted` at once when the signal is, `internal` when the worker ends, or what the worker says
   */
  async call(make: (call: number) => Request, { signal, onPart }: Follower = {}): Promise<ModelInfo | undefined> {
    throwIfAborted(signal);
    if (this.#end !== undefined) throw this.#end;
    const call = ++this.#calls;
    const cancel = (): void => this.#cancel(call, signal);
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(call, { onPart, resolve, reject });
        this.#port.keepAlive(true);
        signal?.addEventListener("abort", cancel, { once: true });
        this.post(make(call));
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#waiting.delete(call);
      if (this.#waiting.size === 0 && this.#end === undefined) this.#port.keepAlive(false);
    }
  }

  /** Sends a request that has no answer. */
  post(request: Request): void {
    if (this.#end === undefined) this.#port.post(request);
  }

  /** What the model has become, where a failed GPU has changed it. */
  get info(): ModelInfo | undefined {
    return this.#info;
  }

  /** Whether calls can be made. */
  get alive(): boolean {
    return this.#end === undefined;
  }

  /** Ends the worker and rejects what it has not answered. */
  close(reason: RankletError): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#port.terminate();
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#markEnded();
  }

  #cancel(call: number, signal: AbortSignal | undefined): void {
    this.post({ type: "cancel", call });
    try {
      throwIfAborted(signal);
    } catch (error) {
      this.#waiting.get(call)?.reject(error);
    }
  }

  #receive(message: unknown): void {
    const reply = parseReply(message);
    if (typeof reply === "string") this.close(new RankletError("internal", `the worker sent a message that is no reply: ${reply}`));
    else this.#take(reply);
  }

  #take(reply: Reply): void {
    switch (reply.type) {
      case "ready":
        break;
      case "loaded":
        this.#waiting.get(reply.call)?.resolve(reply.info);
        break;
      case "part":
        this.#part(reply.call, reply.part);
        break;
      case "done":
        this.#waiting.get(reply.call)?.resolve(undefined);
        break;
      case "failed": {
        const error = new RankletError(reply.code, reply.message);
        if (reply.info !== undefined) this.#info = inWorkers(reply.info, 1);
        // A request that the worker could not read cannot be answered either: nobody may wait for it.
        if (reply.fatal || reply.call === undefined) this.close(error);
        else this.#waiting.get(reply.call)?.reject(error);
      }
    }
  }

  /** What a listener throws is its call's end, not the worker's. */
  #part(call: number, part: Part): void {
    const waiting = this.#waiting.get(call);
    try {
      waiting?.onPart?.(part);
    } catch (error) {
      this.post({ type: "cancel", call });
      waiting?.reject(error);
    }
  }
}
