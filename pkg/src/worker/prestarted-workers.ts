import { RankletError } from "../errors.js";
import type { WorkerStart } from "./worker-scorer.js";
import { Connection } from "./worker-connection.js";

/**
 * Workers that get the model later: their program is read while the model is, and nothing has to be requested after
 * loading.
 */
export class Spares {
  readonly #connections: Connection[] = [];

  /** Starts `workers` of them, or as many as can be: the others are tried again when they are needed. */
  static start({ startWorker }: WorkerStart, workers: number): Spares {
    const spares = new Spares();
    try {
      while (spares.#connections.length < workers) spares.#connections.push(new Connection(startWorker()));
    } catch {
      // See above.
    }
    return spares;
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
  take(): Connection | undefined {
    return this.#connections.shift();
  }

  /** Ends those that were not taken. */
  end(): void {
    for (const spare of this.#connections.splice(0)) spare.close(new RankletError("internal", "the worker is not needed"));
  }
}
