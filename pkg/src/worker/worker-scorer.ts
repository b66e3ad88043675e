import type { EngineSettings } from "../engine/engine.js";
import { inWorkers } from "../engine/info.js";
import { disposedError, RankletError } from "../errors.js";
import type { CollectionInput, Job, JobOptions, Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { abortable, abortWithError, throwIfAborted } from "../util/abort.js";
import type { WorkerPort } from "./port.js";
import { sharedBytes } from "./shared-bytes.js";
import { WorkerConnection } from "./worker-connection.js";

/** The inputs of a worker. They are kept, so that a lost worker can be replaced without reading the files again. */
export interface WorkerStart {
  readonly startWorker: () => WorkerPort;
  readonly module: WebAssembly.Module;
  readonly files: ReadonlyMap<string, Blob>;
  readonly settings: EngineSettings;
}

/** A model in a worker. If the worker is lost, running jobs are rejected, and the next job starts another worker. */
export class WorkerScorer implements Scorer {
  readonly #info: ModelInfo;
  readonly #start: WorkerStart;
  /** The documents of each collection, for a replacement of the worker. */
  readonly #prepared = new Map<number, CollectionInput[]>();
  /** Aborted by `dispose`. */
  readonly #lifetime = new AbortController();
  /** A started worker that has no model yet. */
  #prestarted: WorkerConnection | undefined;
  #connection: Promise<WorkerConnection> | undefined;
  /** The connected worker, once it has the model and the collections. */
  #current: WorkerConnection | undefined;

  /**
   * Creates a scorer whose worker gets the model when the first job needs it.
   * @param prestarted a started worker without a model
   */
  constructor(start: WorkerStart, info: ModelInfo, prestarted?: WorkerConnection) {
    this.#start = start;
    this.#info = info;
    this.#prestarted = prestarted;
  }

  /**
   * Loads a model into a worker.
   * @param first a worker that was just started
   * @param onCpu inputs for a replacement if the engine has chosen the CPU, so that its choice is kept
   * @throws RankletError as `Engine.load`; `internal` if the worker ends
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

  /** Whether a worker is connected. */
  get running(): boolean {
    return this.#current?.alive === true;
  }

  /**
   * Starts a worker unless one is connected.
   * @throws RankletError as `load`
   */
  async start(): Promise<void> {
    await this.#connected();
  }

  async score(job: Job, { scores, maxStepMs, signal, onPartial }: JobOptions): Promise<void> {
    const connection = await abortable(this.#connected(), signal);
    await connection.call((call) => ({ type: "score", call, job, scores, maxStepMs }), { signal, onPartial });
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

  /** Makes `connection` the current one until it fails or ends. */
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
    const sent = connection.leaksBlobs ? await sharedBytes(files) : files;
    const info = await connection.call((call) => ({ type: "load", call, module, files: sent, settings }), { signal });
    if (info === undefined) throw new RankletError("internal", "the worker did not describe the model it loaded");
    return { connection, info: inWorkers(info, 1) };
  } catch (error) {
    connection.close(new RankletError("internal", "the worker could not load the model"));
    throw error;
  }
}
