import { disposedError, RankletError } from "../errors.js";
import type { DocumentBatch, ExplainedPair, ExplanationPlan, Job, JobOptions, Scorer } from "../scoring/scorer.js";
import type { ModelInfo } from "../types.js";
import { abortable, abortWithError, throwIfAborted } from "../util/abort.js";
import type { WorkerPort } from "./port.js";
import { type Connector, WorkerConnection } from "./worker-connection.js";
import { loadIntoWorker, type WorkerStart, WorkerStarter } from "./worker-starter.js";

/** A model in a worker. If the worker is lost, running jobs are rejected, and the next job starts another worker. */
export class WorkerScorer implements Scorer {
  readonly #info: ModelInfo;
  readonly #connector: Connector;
  /** The documents of each collection, for a replacement of the worker. */
  readonly #prepared = new Map<number, DocumentBatch[]>();
  /** Aborted by `dispose`. */
  readonly #lifetime = new AbortController();
  #connection: Promise<WorkerConnection> | undefined;
  /** The same until `dispose`, and rejected by it. One for all jobs, because Node warns of a signal with many listeners. */
  #usable: Promise<WorkerConnection> | undefined;
  /** The connected worker, once it has the model and the collections. */
  #current: WorkerConnection | undefined;

  /** @param connection a worker that has the model; by default, the first job connects to one */
  constructor(connector: Connector, info: ModelInfo, connection?: WorkerConnection) {
    this.#connector = connector;
    this.#info = info;
    if (connection !== undefined) void this.#use(Promise.resolve(connection));
  }

  /**
   * Loads a model into a worker.
   * @param first a worker that was just started
   * @param onCpu inputs for a replacement if the engine has chosen the CPU, so that its choice is kept
   * @throws RankletError as `Engine.load`; `internal` if the worker ends
   */
  static async load(first: WorkerPort, start: WorkerStart, signal: AbortSignal, onCpu = start): Promise<WorkerScorer> {
    const { connection, info } = await loadIntoWorker(new WorkerConnection(first), start, signal);
    return new WorkerScorer(new WorkerStarter(info.backend.device === "cpu" ? onCpu : start), info, connection);
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

  async plan(pair: ExplainedPair): Promise<ExplanationPlan> {
    const connection = await this.#connected();
    const answer = await connection.call((call) => ({ type: "plan", call, pair }));
    if (answer.type !== "planned") throw wrongAnswer(answer.type);
    return answer.plan;
  }

  async sentences(query: string, input: DocumentBatch): Promise<readonly Uint32Array[]> {
    const connection = await this.#connected();
    const answer = await connection.call((call) => ({ type: "sentences", call, query, input }));
    if (answer.type !== "divided") throw wrongAnswer(answer.type);
    return answer.sentences;
  }

  async prepare(collection: number, input: DocumentBatch): Promise<void> {
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
    this.#connector.end(disposed);
    void this.#connection?.then(
      (connection) => connection.close(disposed),
      () => {}, // Nothing to end.
    );
  }

  async #connected(): Promise<WorkerConnection> {
    throwIfAborted(this.#lifetime.signal);
    return this.#usable ?? this.#use(this.#reconnect());
  }

  /** Makes `connection` the current one until it fails or ends. */
  #use(connection: Promise<WorkerConnection>): Promise<WorkerConnection> {
    const disconnect = (): void => {
      if (this.#connection === connection) this.#connection = this.#usable = undefined;
    };
    this.#connection = connection;
    this.#usable = abortable(connection, this.#lifetime.signal);
    this.#usable.catch(() => {}); // Jobs that wait for it report it.
    connection.then((current) => {
      this.#current = current;
      void current.ended.then(disconnect);
    }, disconnect);
    return this.#usable;
  }

  async #reconnect(): Promise<WorkerConnection> {
    const { signal } = this.#lifetime;
    throwIfAborted(signal);
    const { connection } = await this.#connector.connect(signal);
    try {
      for (const [collection, inputs] of this.#prepared) {
        for (const input of inputs) await connection.call((call) => ({ type: "prepare", call, collection, input }), { signal });
      }
    } catch (error) {
      connection.close("the worker could not prepare the collections again");
      throw error;
    }
    return connection;
  }
}

function wrongAnswer(type: string): RankletError {
  return new RankletError("internal", `the worker sent the wrong answer "${type}"`);
}
