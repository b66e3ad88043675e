import { messageOf } from "../../errors.js";
import { openWorker, programNotLoaded } from "../../platform/browser-worker.js";

/** The workers that a tab has started for a shared worker, which is connected to them directly. */
export class HostedWorkers {
  readonly #workers = new Map<string, Worker>();
  readonly #module: () => Promise<WebAssembly.Module>;
  readonly #onEnd: (name: string, reason: string) => void;

  /**
   * @param module returns the engine, because a shared worker cannot send it to its workers
   * @param onEnd called when a worker has failed
   */
  constructor(module: () => Promise<WebAssembly.Module>, onEnd: (name: string, reason: string) => void) {
    this.#module = module;
    this.#onEnd = onEnd;
  }

  /** Starts a worker and passes a port to it. */
  async start(name: string, port: MessagePort): Promise<void> {
    try {
      const worker = openWorker(name);
      this.#workers.set(name, worker);
      worker.onerror = (event) => this.#end(name, event.message || programNotLoaded);
      const module = await this.#module();
      worker.postMessage({ type: "connect", module }, [port]);
    } catch (error) {
      this.#end(name, messageOf(error));
    }
  }

  terminate(name: string): void {
    this.#workers.get(name)?.terminate();
    this.#workers.delete(name);
  }

  terminateAll(): void {
    for (const name of [...this.#workers.keys()]) this.terminate(name);
  }

  #end(name: string, reason: string): void {
    this.terminate(name);
    this.#onEnd(name, reason);
  }
}
