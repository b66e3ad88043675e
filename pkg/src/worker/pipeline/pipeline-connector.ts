import type { PipelinePlan, SplitPlan, SplitRequest } from "../../engine/pipeline/split.js";
import type { RankletError } from "../../errors.js";
import { throwIfAborted, withAbortController } from "../../util/abort.js";
import type { PrestartedWorkers } from "../prestarted-workers.js";
import { type ConnectedModel, type Connector, WorkerConnection } from "../worker-connection.js";
import { filesFor, loadIntoWorker, movedWith, type WorkerStart } from "../worker-starter.js";
import { PipelineRouter } from "./pipeline-router.js";

/** A model after its first worker has decided how it is split. */
interface SplitModel {
  readonly plan: SplitPlan;
  /** The first worker. If the layers are split, it routes calls to the others. */
  readonly model: ConnectedModel;
  /** Connects the workers again, if the layers are split. */
  readonly connector: PipelineConnector | undefined;
}

/**
 * Workers that each hold a pipeline stage, some layers of a model, connected as if they were one: the first worker takes the
 * calls. A lost one is replaced by the next connection. If it was not the first, the first is replaced as well, because it waits
 * for lost micro-batches.
 */
export class PipelineConnector implements Connector {
  readonly #start: WorkerStart;
  readonly #plan: PipelinePlan;
  /** The workers with the later stages. */
  readonly #laterStages: WorkerConnection[] = [];
  #first: WorkerConnection | undefined;
  #end: RankletError | undefined;

  private constructor(start: WorkerStart, plan: PipelinePlan) {
    this.#start = start;
    this.#plan = plan;
  }

  /**
   * Loads a model into workers as its first worker decides: the whole model into the first, or some layers into each.
   * @param first a worker that was just started
   * @param prestarted other workers, which are used for layers
   * @throws RankletError as `Engine.load`; `internal` if a worker ends
   */
  static async load(
    first: WorkerConnection,
    prestarted: PrestartedWorkers,
    request: SplitRequest,
    signal: AbortSignal,
  ): Promise<SplitModel> {
    const loadFirst = (loading: AbortSignal): Promise<ConnectedModel> => loadIntoWorker(first, prestarted.inputs, loading, request);
    let plan: SplitPlan = { split: "copies", workers: 1 };
    const connectors: PipelineConnector[] = [];
    const onPlan = (planned: SplitPlan, loading: AbortSignal): Promise<void> | undefined => {
      plan = planned;
      if (planned.split !== "layers") return undefined;
      const connector = new PipelineConnector(prestarted.inputs, planned);
      connectors.push(connector);
      return connector.#loadLaterStages(prestarted, loading);
    };
    try {
      const model = await loadAll(first, loadFirst, onPlan, signal);
      for (const connector of connectors) await connector.#route(model, signal);
      return { plan, model, connector: connectors[0] };
    } catch (error) {
      for (const connector of connectors) connector.#closeLaterStages();
      throw error;
    }
  }

  async connect(signal: AbortSignal): Promise<ConnectedModel> {
    const first = new WorkerConnection(this.#start.startWorker());
    const loadFirst = (loading: AbortSignal): Promise<ConnectedModel> => loadIntoWorker(first, this.#start, loading, this.#plan);
    const model = await loadAll(first, loadFirst, (_, loading) => this.#loadLaterStages(undefined, loading), signal);
    await this.#route(model, signal);
    return model;
  }

  end(reason: RankletError): void {
    this.#end = reason;
    this.#first?.close(reason);
    for (const other of this.#laterStages) other.close(reason);
  }

  /** Loads their layers into the workers after the first, unless they run. If one fails, the new ones end. */
  async #loadLaterStages(prestarted: PrestartedWorkers | undefined, signal: AbortSignal): Promise<void> {
    const loading = this.#plan.splitPoints.map(async (_, at) => {
      const running = this.#laterStages[at];
      if (running?.alive === true) return;
      const connection = prestarted?.take() ?? new WorkerConnection(this.#start.startWorker());
      this.#laterStages[at] = connection;
      await this.#loadStage(connection, at + 1, signal);
    });
    const failed = (await Promise.allSettled(loading)).find((outcome) => outcome.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  async #loadStage(connection: WorkerConnection, number: number, signal: AbortSignal): Promise<void> {
    const { module, files, settings } = this.#start;
    try {
      const sent = await filesFor(connection, files);
      await connection.call((call) => ({ type: "load-stage", call, module, files: sent, settings, stage: { number, plan: this.#plan } }), {
        signal,
        transfer: movedWith(sent),
      });
    } catch (error) {
      connection.close("the worker could not load its layers");
      throw error;
    }
  }

  /** Connects the first worker with the others, and verifies the scores of all together. */
  async #route({ connection }: ConnectedModel, signal: AbortSignal): Promise<void> {
    this.#first = connection;
    if (this.#end !== undefined) this.end(this.#end);
    const router = new PipelineRouter(connection, this.#laterStages);
    connection.onPipelineMessage = (message) => {
      if (message.type === "batch") router.route(message);
      else if (message.type === "dropped") router.drop(message.batch);
    };
    try {
      throwIfAborted(signal);
      await connection.call((call) => ({ type: "verify", call }), { signal });
    } catch (error) {
      connection.close("the layers of the model do not work together");
      throw error;
    }
  }

  #closeLaterStages(): void {
    for (const other of this.#laterStages.splice(0)) other.close("the worker is not needed");
  }
}

/**
 * Loads into the first worker, and into the others as soon as the first has planned them.
 * @param onPlan loads into the others
 * @throws the first error; then all loading has ended
 */
async function loadAll(
  first: WorkerConnection,
  loadFirst: (signal: AbortSignal) => Promise<ConnectedModel>,
  onPlan: (plan: SplitPlan, signal: AbortSignal) => Promise<void> | undefined,
  signal: AbortSignal,
): Promise<ConnectedModel> {
  return withAbortController(signal, async (controller) => {
    const errors: unknown[] = [];
    const fail = (error: unknown): undefined => {
      errors.push(error);
      controller.abort();
    };
    let others: Promise<void> | undefined;
    first.onPipelineMessage = (message) => {
      if (message.type === "split") others = onPlan(message.plan, controller.signal)?.catch(fail);
    };
    const model = await loadFirst(controller.signal).catch(fail);
    await others;
    if (model !== undefined && errors.length === 0) return model;
    model?.connection.close("another worker could not load its layers");
    throw errors[0];
  });
}
