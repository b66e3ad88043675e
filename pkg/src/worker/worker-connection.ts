import { inWorkers } from "../engine/info.js";
import { RankletError } from "../errors.js";
import type { JobOptions } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { throwIfAborted } from "../util/abort.js";
import { parseReply } from "./guards/replies.js";
import type { Movable, WorkerPort } from "./port.js";
import type { Reply, Request } from "./protocol.js";
import { WorkerStartError } from "./worker-start-error.js";

/** The answer to a call that has not failed. */
type Answer = Extract<Reply, { type: "loaded" | "done" | "planned" | "divided" | "ran" }>;

/** A message of a worker that has the first layers of a model. */
type PipelineMessage = Extract<Reply, { type: "split" | "batch" | "dropped" }>;

interface PendingCall {
  readonly onPartial: JobOptions["onPartial"] | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** How to abort a call, and the receiver of its partial scores. */
interface CallListener {
  readonly signal?: AbortSignal | undefined;
  readonly onPartial?: JobOptions["onPartial"];
  /** Parts of the request that move to the worker. */
  readonly transfer?: readonly Movable[];
}

/** A connection to a worker that has the model. */
export interface ConnectedModel {
  readonly connection: WorkerConnection;
  readonly info: ModelInfo;
}

/** Connects to workers, one after the other: a worker that is lost is replaced by the next. */
export interface Connector {
  /** @throws RankletError as `Engine.load`; `internal` if the worker ends */
  connect(signal: AbortSignal): Promise<ConnectedModel>;
  /** Ends workers that were started in advance. */
  end(reason: RankletError): void;
}

/** A running worker and its unanswered calls, which are rejected when it ends. */
export class WorkerConnection {
  readonly #port: WorkerPort;
  readonly #pending = new Map<number, PendingCall>();
  #calls = 0;
  #end: RankletError | undefined;
  #resolveEnded!: () => void;
  /** Resolves when the worker has ended. */
  readonly ended = new Promise<void>((resolve) => (this.#resolveEnded = resolve));
  #info: ModelInfo | undefined;
  /** Whether the worker has sent a message, so that its program runs. */
  #started = false;
  /** Receives the messages of a worker that has the first layers of a model. */
  onPipelineMessage: ((message: PipelineMessage) => void) | undefined;

  constructor(port: WorkerPort) {
    this.#port = port;
    port.listen(
      (message) => this.#receive(message),
      (reason) => this.close(new (this.#started ? RankletError : WorkerStartError)("internal", `the worker ended (${reason})`)),
    );
  }

  /**
   * Sends a request and waits for its answer.
   * @param make returns the request for a call number
   * @throws RankletError `aborted` as soon as the signal is, `internal` if the worker ends, or the worker's error
   */
  async call(make: (call: number) => Request, { signal, onPartial, transfer }: CallListener = {}): Promise<Answer> {
    throwIfAborted(signal);
    if (this.#end !== undefined) throw this.#end;
    const call = ++this.#calls;
    const cancel = (): void => this.#cancel(call, signal);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(call, { onPartial, resolve, reject });
        this.#port.keepAlive(true);
        signal?.addEventListener("abort", cancel, { once: true });
        this.post(make(call), transfer);
      });
    } finally {
      signal?.removeEventListener("abort", cancel);
      this.#pending.delete(call);
      if (this.#pending.size === 0 && this.#end === undefined) this.#port.keepAlive(false);
    }
  }

  /** Sends a request without waiting for an answer. */
  post(request: Request, transfer?: readonly Movable[]): void {
    if (this.#end === undefined) this.#port.post(request, transfer);
  }

  /** Whether a Blob in a message would never be freed. */
  get leaksBlobs(): boolean {
    return this.#port.leaksBlobs === true;
  }

  /** The model after a failed GPU has changed it. */
  get info(): ModelInfo | undefined {
    return this.#info;
  }

  /** Whether the worker has not ended. */
  get alive(): boolean {
    return this.#end === undefined;
  }

  /**
   * Ends the worker and rejects its unanswered calls.
   * @param reason their error, or the message of one with the code `internal`
   */
  close(reason: RankletError | string): void {
    if (this.#end !== undefined) return;
    const error = (this.#end = typeof reason === "string" ? new RankletError("internal", reason) : reason);
    this.#port.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
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
    this.#started = true;
    const reply = parseReply(message);
    if (typeof reply === "string") this.close(`the worker sent an invalid reply: ${reply}`);
    else this.#handle(reply);
  }

  #handle(reply: Reply): void {
    switch (reply.type) {
      case "ready":
        break;
      case "loaded":
      case "done":
      case "planned":
      case "divided":
      case "ran":
        this.#pending.get(reply.call)?.resolve(reply);
        break;
      case "split":
      case "batch":
      case "dropped":
        this.onPipelineMessage?.(reply);
        break;
      case "changed":
        this.#info = reply.info;
        break;
      case "partial":
        this.#receivePartial(reply);
        break;
      case "failed": {
        const error = new RankletError(reply.code, reply.message, { item: reply.item });
        if (reply.info !== undefined) this.#info = inWorkers(reply.info, 1);
        // A reply without a number is about a request that the worker could not read, and whose call would wait forever.
        if (reply.fatal || reply.call === undefined) this.close(error);
        else this.#pending.get(reply.call)?.reject(error);
        break;
      }
      default:
        reply satisfies never;
    }
  }

  /** An error that a listener throws ends its call, but not the worker. */
  #receivePartial({ call, partial, indices }: Extract<Reply, { type: "partial" }>): void {
    const pending = this.#pending.get(call);
    try {
      pending?.onPartial?.(partial, indices);
    } catch (error) {
      this.post({ type: "cancel", call });
      pending?.reject(error);
    }
  }
}
