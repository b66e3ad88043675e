import { Engine, type EngineSettings, type FileData } from "../engine/engine.js";
import { engineDamage, startEngine } from "../engine/start.js";
import { isDeviceLost, messageOf, RankletError } from "../errors.js";
import type { Scorer } from "../scoring/scorer.js";
import { callOf, parseRequest, type Reply, type Request } from "./protocol.js";

/** The worker's thread, as the host uses it. */
export interface HostPort {
  post(reply: Reply, transfer?: ArrayBuffer[]): void;
  /** Resolves in a later task, after the messages that are queued now. */
  nextTask(): Promise<void>;
}

type AnsweredRequest = Exclude<Request, { type: "release" | "cancel" }>;

/** The worker's side of the protocol: answers requests with an engine on this thread. */
export class Host {
  readonly #port: HostPort;
  readonly #running = new Map<number, AbortController>();
  #engine: Scorer | undefined;

  constructor(port: HostPort) {
    this.#port = port;
  }

  /** Receives a message and never throws: an invalid request is answered with `failed`. */
  receive(message: unknown): void {
    const request = parseRequest(message);
    if (typeof request === "string") {
      this.#fail(callOf(message), new RankletError("input", `the worker received an invalid request: ${request}`));
      return;
    }
    switch (request.type) {
      case "release":
        this.#engine?.release(request.collection);
        break;
      case "cancel":
        this.#running.get(request.call)?.abort();
        break;
      default:
        void this.#answer(request);
    }
  }

  async #answer(request: AnsweredRequest): Promise<void> {
    const { call } = request;
    if (this.#running.has(call)) {
      this.#fail(call, new RankletError("input", `the worker received call ${call} twice`));
      return;
    }
    const controller = new AbortController();
    this.#running.set(call, controller);
    try {
      this.#port.post(await this.#execute(request, controller.signal));
    } catch (error) {
      this.#fail(call, error);
    } finally {
      this.#running.delete(call);
    }
  }

  async #execute(request: AnsweredRequest, signal: AbortSignal): Promise<Reply> {
    const { call } = request;
    switch (request.type) {
      case "load":
        return { type: "loaded", call, info: await this.#load(request.module, request.files, request.settings) };
      case "score":
        await this.#requireEngine().score(request.job, {
          scores: request.scores,
          maxStepMs: request.maxStepMs,
          signal,
          onPartial: (partial) => this.#port.post({ type: "partial", call, partial }, [partial.scores.buffer as ArrayBuffer]),
        });
        return { type: "done", call };
      case "prepare":
        await this.#requireEngine().prepare(request.collection, request.input);
        return { type: "done", call };
    }
  }

  async #load(module: WebAssembly.Module, files: ReadonlyMap<string, FileData>, settings: EngineSettings): Promise<Scorer["info"]> {
    if (this.#engine !== undefined) throw new RankletError("input", "the worker already has a model");
    startEngine(module);
    this.#engine = await Engine.load(files, settings, { nextTask: () => this.#port.nextTask() });
    return this.#engine.info;
  }

  #requireEngine(): Scorer {
    if (this.#engine === undefined) throw new RankletError("input", "the worker has no model yet");
    return this.#engine;
  }

  #fail(call: number | undefined, error: unknown): void {
    const { code, item } = error instanceof RankletError ? error : { code: "internal" as const, item: undefined };
    const info = isDeviceLost(error) ? this.#engine?.info : undefined;
    this.#port.post({ type: "failed", call, code, message: messageOf(error), item, fatal: engineDamage() !== undefined, info });
  }
}
