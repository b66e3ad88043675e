import type { EngineSettings, EngineSplit } from "../engine/engine.js";
import type { BatchResult, StageBatch } from "../engine/pipeline/pipelined-scoring.js";
import type { StageSettings } from "../engine/pipeline/split.js";
import type { FileData } from "../engine/weights-files.js";
import { isDeviceLost, messageOf, RankletError } from "../errors.js";
import type { Scorer } from "../scoring/scorer.js";
import { callOf, parseRequest } from "./guards/requests.js";
import { PipelinedBatches } from "./pipeline/pipelined-batches.js";
import type { Reply, Request } from "./protocol.js";

/** Sends the replies of a host. */
interface HostPort {
  post(reply: Reply, transfer?: ArrayBuffer[]): void;
}

/** The engine that a host answers with. */
export interface HostedEngine {
  /** The loaded model. */
  readonly scorer: Scorer | undefined;
  /** Whether the engine can no longer be used. */
  readonly isDamaged: boolean;
  /**
   * Loads the model.
   * @throws RankletError `input` if there is one already; or as `Engine.load`
   */
  load(
    module: WebAssembly.Module | undefined,
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    split?: EngineSplit,
  ): Promise<Scorer>;
  /** Loads some layers of a model, if it can. Throws as `load` does. */
  loadStage?(
    module: WebAssembly.Module | undefined,
    files: ReadonlyMap<string, FileData>,
    settings: EngineSettings,
    stage: StageSettings,
  ): Promise<void>;
  /**
   * Runs a micro-batch on the loaded layers.
   * @throws RankletError `input` if there are none
   */
  runStage?(batch: StageBatch): BatchResult;
  /** Verifies a split engine, as `Engine.verify`. */
  verify?(): Promise<void>;
}

type AnsweredRequest = Exclude<Request, { type: "release" | "cancel" | "logits" }>;

/** The worker's side of the protocol: answers requests with an engine. */
export class Host {
  readonly #port: HostPort;
  readonly #running = new Map<number, AbortController>();
  readonly #engine: HostedEngine;
  readonly #pipelinedBatches = new PipelinedBatches((reply, transfer) => this.#port.post(reply, transfer));

  constructor(port: HostPort, engine: HostedEngine) {
    this.#port = port;
    this.#engine = engine;
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
        this.#engine.scorer?.release(request.collection);
        break;
      case "cancel":
        this.#running.get(request.call)?.abort();
        break;
      case "logits":
        this.#pipelinedBatches.receive(request);
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
      const reply = await this.#execute(request, controller.signal);
      this.#port.post(reply, reply.type === "ran" ? [reply.values.buffer as ArrayBuffer] : []);
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
        return { type: "loaded", call, info: (await this.#load(request)).info };
      case "load-stage":
        if (this.#engine.loadStage === undefined) throw new RankletError("input", "the worker takes no stages");
        await this.#engine.loadStage(request.module, request.files, request.settings, request.stage);
        return { type: "done", call };
      case "verify":
        await this.#engine.verify?.();
        return { type: "done", call };
      case "run": {
        const result = this.#engine.runStage?.(request);
        if (result === undefined) throw new RankletError("input", "the worker has no stage");
        return { type: "ran", call, ...result };
      }
      case "score":
        await this.#requireEngine().score(request.job, {
          scores: request.scores,
          maxStepMs: request.maxStepMs,
          signal,
          onPartial: (partial, indices) =>
            this.#port.post({ type: "partial", call, partial, ...(indices === undefined ? {} : { indices }) }, [
              partial.scores.buffer as ArrayBuffer,
            ]),
        });
        return { type: "done", call };
      case "prepare":
        await this.#requireEngine().prepare(request.collection, request.input);
        return { type: "done", call };
      case "plan":
        return { type: "planned", call, plan: await this.#requireEngine().plan(request.pair) };
      case "sentences":
        return { type: "divided", call, sentences: await this.#requireEngine().sentences(request.query, request.input) };
    }
  }

  #load({ module, files, settings, split: request }: Extract<Request, { type: "load" }>): Promise<Scorer> {
    if (request === undefined) return this.#engine.load(module, files, settings);
    const onPlan: EngineSplit["onPlan"] = (plan) => this.#port.post({ type: "split", plan });
    return this.#engine.load(module, files, settings, {
      request,
      onPlan,
      laterStages: ({ splitPoints }) => this.#pipelinedBatches.of(splitPoints.length + 1),
    });
  }

  #requireEngine(): Scorer {
    const { scorer } = this.#engine;
    if (scorer === undefined) throw new RankletError("input", "the worker has no model yet");
    return scorer;
  }

  #fail(call: number | undefined, error: unknown): void {
    const { code, item } = error instanceof RankletError ? error : { code: "internal" as const, item: undefined };
    const info = isDeviceLost(error) ? this.#engine.scorer?.info : undefined;
    this.#port.post({ type: "failed", call, code, message: messageOf(error), item, fatal: this.#engine.isDamaged, info });
  }
}
