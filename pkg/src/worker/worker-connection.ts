import { throwIfAborted } from "../util/abort.js";
import { RankletError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { PartialScores } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import type { WorkerPort } from "./port.js";
import { parseReply, type Reply, type Request } from "./protocol.js";

interface PendingCall {
  readonly onPartial: ((partial: PartialScores) => void) | undefined;
  readonly resolve: (info: ModelInfo | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** Who follows a call. */
interface CallListener {
  readonly signal?: AbortSignal | undefined;
  readonly onPartial?: (partial: PartialScores) => void;
}

/** One living worker and the calls it has to answer. When it ends, they are rejected. */
export class WorkerConnection {
  readonly #port: WorkerPort;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;
  #end: RankletError | undefined;
  #resolveEnded!: () => void;
  /** Resolves when no more calls can be made. */
  readonly ended = new Promise<void>((resolve) => (this.#resolveEnded = resolve));
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
  async call(make: (call: number) => Request, { signal, onPartial }: CallListener = {}): Promise<ModelInfo | undefined> {
    throwIfAborted(signal);
    if (this.#end !== undefined) throw this.#end;
    const call = ++this.#calls;
    const cancel = (): void => this.#cancel(call, signal);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(call, { onPartial, resolve, reject });
        this.#port.keepAlive(true);
        signal?.addEventListener("abort", cancel, { once: true });
        this.post(make(call));
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#pending.delete(call);
      if (this.#pending.size === 0 && this.#end === undefined) this.#port.keepAlive(false);
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
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#resolveEnded();
  }

  #cancel(call: number, signal: AbortSignal | undefined): void {
    this.post({ type: "cancel", call });
    try {
      throwIfAborted(signal);
    } catch (error) {
      this.#pending.get(call)?.reject(error);
    }
  }

  #receive(message: unknown): void {
    const reply = parseReply(message);
    if (typeof reply === "string") this.close(new RankletError("internal", `the worker sent a message that is no reply: ${reply}`));
    else this.#handle(reply);
  }

  #handle(reply: Reply): void {
    switch (reply.type) {
      case "ready":
        break;
      case "loaded":
        this.#pending.get(reply.call)?.resolve(reply.info);
        break;
      case "partial":
        this.#receivePartial(reply.call, reply.partial);
        break;
      case "done":
        this.#pending.get(reply.call)?.resolve(undefined);
        break;
      case "failed": {
        const error = new RankletError(reply.code, reply.message, { item: reply.item });
        if (reply.info !== undefined) this.#info = inWorkers(reply.info, 1);
        // A request that the worker could not read cannot be answered either: nobody may wait for it.
        if (reply.fatal || reply.call === undefined) this.close(error);
        else this.#pending.get(reply.call)?.reject(error);
      }
    }
  }

  /** What a listener throws is its call's end, not the worker's. */
  #receivePartial(call: number, partial: PartialScores): void {
    const pending = this.#pending.get(call);
    try {
      pending?.onPartial?.(partial);
    } catch (error) {
      this.post({ type: "cancel", call });
      pending?.reject(error);
    }
  }
}
