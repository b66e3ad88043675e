import { abortWithError, abortable, throwIfAborted } from "../util/abort.js";
import type { EngineSettings } from "../engine/engine.js";
import { RankletError, disposedError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { CollectionInput, JobOptions, Scorer, Job } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { WorkerConnection } from "./worker-connection.js";
import type { WorkerPort } from "./port.js";

/** What a worker needs to begin; kept, so that a lost worker can be replaced without reading anything again. */
export interface WorkerStart {
  readonly startWorker: () => WorkerPort;
  readonly module: WebAssembly.Module;
  readonly files: ReadonlyMap<string, Blob>;
  readonly settings: EngineSettings;
}

/** A model in a worker. When the worker is lost, works under way are rejected and the next one starts another. */
export class WorkerScorer implements Scorer {
  readonly #info: ModelInfo;
  readonly #start: WorkerStart;
  /** What every worker of this model must have been told. */
  readonly #prepared = new Map<number, CollectionInput[]>();
  /** Aborted by `dispose`, whatever is under way. */
  readonly #lifetime = new AbortController();
  /** A worker that was started ahead and has no model yet. */
  #prestarted: WorkerConnection | undefined;
  #connection: Promise<WorkerConnection> | undefined;
  /** The worker that calls go to, once it has all that it must have been told. */
  #current: WorkerConnection | undefined;

  /**
   * A model whose worker gets it when it is needed.
   * @param prestarted a worker that was started ahead for it
   */
  constructor(start: WorkerStart, info: ModelInfo, prestarted?: WorkerConnection) {
    this.#start = start;
    this.#info = info;
    this.#prestarted = prestarted;
  }

  /**
   * @param first a worker that was just started
   * @param onCpu how to start another where the first computes on the CPU: what was chosen stays
   * @throws RankletError as loading the model in this thread does; `internal` where the worker ends
   */
  static async load(first: WorkerPort, start: WorkerStart, signal: AbortSignal, onCpu = start): Promise<WorkerScorer> {
    const { connection, info } = await connect(new WorkerConnection(first), start, signal);
    const scorer = new WorkerScorer(info.backend.device === "cpu" ? onCpu : start, info);
    scorer.#use(Promise.resolve(connection));
    return scorer;
  }

  get info(): ModelInfo {
    return this.#current?.info ?? this.#info;
  }

  /** Whether there is a worker that calls can go to at once. */
  get running(): boolean {
    return this.#current?.alive === true;
  }

  /**
   * Starts a worker unless there is one.
   * @throws RankletError as `load`
   */
  async start(): Promise<void> {
    await this.#connected();
  }

  async score(job: Job, { scores, signal, onPartial }: JobOptions): Promise<void> {
    const connection = await abortable(this.#connected(), signal);
    await connection.call((call) => ({ type: "score", call, job, scores }), { signal, onPartial });
  }

  async prepare(collection: number, input: CollectionInput): Promise<void> {
    const connection = await this.#connected();
    await connection.call((call) => ({ type: "prepare", call, collection, input }));
    const inputs = this.#prepared.get(collection) ?? [];
    this.#prepared.set(collection, inputs);
    inputs.push(input);
  }

  release(collection: number): void {
    this.#prepared.delete(collection);
    void this.#connection?.then(
      (connection) => connection.post({ type: "release", collection }),
      () => {}, // A worker that did not start has no collections.
    );
  }

  dispose(): void {
    const disposed = disposedError();
    abortWithError(this.#lifetime, disposed);
    this.#prepared.clear();
    this.#prestarted?.close(disposed);
    void this.#connection?.then(
      (connection) => connection.close(disposed),
      () => {}, // Nothing to end.
    );
  }

  #connected(): Promise<WorkerConnection> {
    return abortable(this.#connection ?? this.#use(this.#reconnect()), this.#lifetime.signal);
  }

  /** Makes `connection` the one that calls go to, until it fails or ends. */
  #use(connection: Promise<WorkerConnection>): Promise<WorkerConnection> {
    const disconnect = (): void => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    this.#connection = connection;
    connection.then((current) => {
      this.#current = current;
      void current.ended.then(disconnect);
    }, disconnect);
    return connection;
  }

  async #reconnect(): Promise<WorkerConnection> {
    const { signal } = this.#lifetime;
    throwIfAborted(signal);
    const prestarted = this.#prestarted;
    this.#prestarted = undefined;
    const { connection } = await connect(prestarted ?? new WorkerConnection(this.#start.startWorker()), this.#start, signal);
    try {
      for (const [collection, inputs] of this.#prepared) {
        for (const input of inputs) await connection.call((call) => ({ type: "prepare", call, collection, input }), { signal });
      }
    } catch (error) {
      connection.close(new RankletError("internal", "the worker could not prepare the collections again"));
      throw error;
    }
    return connection;
  }
}

async function connect(
  connection: WorkerConnection,
  { module, files, settings }: WorkerStart,
  signal: AbortSignal,
): Promise<{ connection: WorkerConnection; info: ModelInfo }> {
  try {
    const info = await connection.call((call) => ({ type: "load", call, module, files, settings }), { signal });
    if (info === undefined) throw new RankletError("internal", "the worker did not describe the model it loaded");
    return { connection, info: inWorkers(info, 1) };
  } catch (error) {
    connection.close(new RankletError("internal", "the worker could not load the model"));
    throw error;
  }
}
