import { abortWith, raced, throwIfAborted } from "../util/abort.js";
import type { EngineSettings } from "../engine/engine.js";
import { RankletError, disposedError } from "../errors.js";
import { inWorkers } from "../engine/info.js";
import type { Batch, Call, Scorer, Work } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { Connection } from "./worker-connection.js";
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
  readonly #prepared = new Map<number, Batch[]>();
  /** Aborted by `dispose`, whatever is under way. */
  readonly #life = new AbortController();
  /** A worker that was started ahead and has no model yet. */
  #spare: Connection | undefined;
  #connection: Promise<Connection> | undefined;
  /** The worker that calls go to, once it has all that it must have been told. */
  #current: Connection | undefined;

  /**
   * A model whose worker gets it when it is needed.
   * @param spare a worker that was started ahead for it
   */
  constructor(start: WorkerStart, info: ModelInfo, spare?: Connection) {
    this.#start = start;
    this.#info = info;
    this.#spare = spare;
  }

  /**
   * @param first a worker that was just started
   * @param onCpu how to start another where the first computes on the CPU: what was chosen stays
   * @throws RankletError as loading the model in this thread does; `internal` where the worker ends
   */
  static async load(first: WorkerPort, start: WorkerStart, signal: AbortSignal, onCpu = start): Promise<WorkerScorer> {
    const { connection, info } = await connect(new Connection(first), start, signal);
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

  async score(work: Work, { scores, signal, onPart }: Call): Promise<void> {
    const connection = await raced(this.#connected(), signal);
    await connection.call((call) => ({ type: "score", call, work, scores }), { signal, onPart });
  }

  async prepare(collection: number, batch: Batch): Promise<void> {
    const connection = await this.#connected();
    await connection.call((call) => ({ type: "prepare", call, collection, batch }));
    const batches = this.#prepared.get(collection) ?? [];
    this.#prepared.set(collection, batches);
    batches.push(batch);
  }

  forget(collection: number): void {
    this.#prepared.delete(collection);
    void this.#connection?.then(
      (connection) => connection.post({ type: "forget", collection }),
      () => {}, // A worker that did not start has no collections.
    );
  }

  dispose(): void {
    const disposed = disposedError();
    abortWith(this.#life, disposed);
    this.#prepared.clear();
    this.#spare?.close(disposed);
    void this.#connection?.then(
      (connection) => connection.close(disposed),
      () => {}, // Nothing to end.
    );
  }

  #connected(): Promise<Connection> {
    return raced(this.#connection ?? this.#use(this.#reconnect()), this.#life.signal);
  }

  /** Makes `connection` the one that calls go to, until it fails or ends. */
  #use(connection: Promise<Connection>): Promise<Connection> {
    const forget = (): void => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    this.#connection = connection;
    connection.then((current) => {
      this.#current = current;
      void current.ended.then(forget);
    }, forget);
    return connection;
  }

  async #reconnect(): Promise<Connection> {
    const { signal } = this.#life;
    throwIfAborted(signal);
    const spare = this.#spare;
    this.#spare = undefined;
    const { connection } = await connect(spare ?? new Connection(this.#start.startWorker()), this.#start, signal);
    try {
      for (const [collection, batches] of this.#prepared) {
        for (const batch of batches) await connection.call((call) => ({ type: "prepare", call, collection, batch }), { signal });
      }
    } catch (error) {
      connection.close(new RankletError("internal", "the worker could not prepare the collections again"));
      throw error;
    }
    return connection;
  }
}

async function connect(
  connection: Connection,
  { module, files, settings }: WorkerStart,
  signal: AbortSignal,
): Promise<{ connection: Connection; info: ModelInfo }> {
  try {
    const info = await connection.call((call) => ({ type: "load", call, module, files, settings }), { signal });
    if (info === undefined) throw new RankletError("internal", "the worker did not describe the model it loaded");
    return { connection, info: inWorkers(info, 1) };
  } catch (error) {
    connection.close(new RankletError("internal", "the worker could not load the model"));
    throw error;
  }
}
