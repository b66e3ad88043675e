import { RankletError } from "../errors.js";
import type { WorkerStart } from "./worker-scorer.js";
import { WorkerConnection } from "./worker-connection.js";

/**
 * Workers that get the model later: their program is read while the model is, and nothing has to be requested after
 * loading.
 */
export class PrestartedWorkers {
  readonly #connections: WorkerConnection[] = [];

  /** Starts `workers` of them, or as many as can be: the others are tried again when they are needed. */
  static start({ startWorker }: WorkerStart, workers: number): PrestartedWorkers {
    const prestarted = new PrestartedWorkers();
    try {
      while (prestarted.#connections.length < workers) prestarted.#connections.push(new WorkerConnection(startWorker()));
    } catch {
      // See above.
    }
    return prestarted;
  }

  /** Waits for the model that they are for, and ends them where it cannot be loaded. */
  async whileLoading<T>(model: Promise<T>): Promise<T> {
    try {
      return await model;
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** One of them, where there is one left. */
  take(): WorkerConnection | undefined {
    return this.#connections.shift();
  }

  /** Ends those that were not taken. */
  end(): void {
    for (const prestarted of this.#connections.splice(0)) prestarted.close(new RankletError("internal", "the worker is not needed"));
  }
}
