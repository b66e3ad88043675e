import type { WorkerPort } from "./port.js";
import { WorkerConnection } from "./worker-connection.js";
import type { WorkerStart } from "./worker-starter.js";

/**
 * Workers that were started before the model is loaded, and get it later. Their program loads at the same time as the model,
 * so that nothing is requested once loading ends.
 */
export class PrestartedWorkers {
  /** The inputs of all workers, also of those that are started later. */
  readonly inputs: WorkerStart;
  readonly #connections: WorkerConnection[] = [];

  private constructor(inputs: WorkerStart) {
    this.inputs = inputs;
  }

  /**
   * Starts up to `workers` workers after the first one, unless their program is local: then they would only take time from the
   * first one. Those that cannot be started are retried when they are needed.
   */
  static start(first: WorkerPort, inputs: WorkerStart, workers: number): PrestartedWorkers {
    const prestarted = new PrestartedWorkers(inputs);
    if (first.isLocal === true) return prestarted;
    try {
      while (prestarted.#connections.length < workers) prestarted.#connections.push(new WorkerConnection(inputs.startWorker()));
    } catch {
      // The model may need fewer workers, so it is an error only when one is needed.
    }
    return prestarted;
  }

  /** Waits for the model, and ends the workers if it cannot be loaded. */
  async whileLoading<T>(model: Promise<T>): Promise<T> {
    try {
      return await model;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Takes one of the workers, if any is left. */
  take(): WorkerConnection | undefined {
    return this.#connections.shift();
  }

  /** Ends the workers that were not taken. */
  end(): void {
    for (const prestarted of this.#connections.splice(0)) prestarted.close("the worker is not needed");
  }
}
