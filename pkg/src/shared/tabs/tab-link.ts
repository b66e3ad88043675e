import { newSharedWorker } from "../../assets.js";
import { messageOf, RankletError } from "../../errors.js";
import { wholeFiles } from "../../model/arriving-file.js";
import { programNotLoaded } from "../../platform/browser-worker.js";
import type { DownloadProgress, ModelInfo } from "../../types.js";
import { throwIfAborted, withAbortController } from "../../util/abort.js";
import { holdLock, uniqueName, whenFree } from "../../util/locks.js";
import type { WorkerPort } from "../../worker/port.js";
import { HostedWorkers } from "./hosted-workers.js";
import { parseSharedMessage, type SharedMessage, type TabMessage } from "./messages.js";
import { type ModelForTabs, NotSharedError, type TabConnection } from "./tabs.js";

/** Max time for starting a shared worker. */
const maxStartMs = 10_000;

/** Time after which a tab connects again, because the shared worker may have ended when it connected. */
const reconnectMs = 1000;

/** A tab's connection to the shared worker that holds a model. */
export class TabLink implements TabConnection {
  readonly #worker: SharedWorker;
  readonly #calls: MessagePort;
  readonly #hosted: HostedWorkers;
  /** Aborted when the connection is closed. */
  readonly #lifetime = new AbortController();
  #onEnd: (reason: string) => void = () => {};
  #onProgress: ((progress: DownloadProgress) => void) | undefined;
  #resolve: (info: ModelInfo | undefined) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #end: RankletError | undefined;

  private constructor(worker: SharedWorker, lock: string, sharedLock: string, module: () => Promise<WebAssembly.Module>) {
    this.#worker = worker;
    this.#hosted = new HostedWorkers(module, (name, reason) => this.#post({ type: "ended", worker: name, reason }));
    const { port1, port2 } = new MessageChannel();
    this.#calls = port1;
    worker.port.onmessage = ({ data, ports }: MessageEvent<unknown>) => this.#receive(parseSharedMessage(data), ports);
    this.#post({ type: "join", lock }, [port2]);
    whenFree(sharedLock, this.#lifetime.signal, () => this.#fail("the shared worker stopped"));
    // A page that the browser keeps for the back button does nothing. Its workers would keep other tabs waiting.
    const onHide = ({ persisted }: PageTransitionEvent): void => {
      if (persisted) this.#fail("the page was left");
    };
    globalThis.addEventListener("pagehide", onHide, { signal: this.#lifetime.signal });
  }

  /**
   * Connects to the shared worker of a model, which is started if no other tab has.
   * @param name the model's name, the same in all tabs
   * @param module returns the engine, for workers that this tab starts
   * @throws NotSharedError if this is not possible; `aborted`
   */
  static async open(name: string, module: () => Promise<WebAssembly.Module>, signal: AbortSignal): Promise<TabLink> {
    return withAbortController(signal, async (controller) => {
      const tooLong = `it did not start within ${maxStartMs / 1000} seconds`;
      const timer = setTimeout(() => controller.abort(new Error(tooLong)), maxStartMs);
      const releases: (() => void)[] = [];
      const release = (): void => releases.forEach((free) => free());
      try {
        // Until it is free, the shared worker of the last tab ends.
        releases.push(await holdLock(name, { mode: "shared", signal: controller.signal }));
        const lock = uniqueName();
        releases.push(await holdLock(lock, { mode: "exclusive", signal: controller.signal }));
        const { worker, sharedLock } = await start(name, controller.signal);
        const link = new TabLink(worker, lock, sharedLock, module);
        link.#lifetime.signal.addEventListener("abort", release);
        return link;
      } catch (error) {
        release();
        throwIfAborted(signal);
        throw new NotSharedError(
          "unsupported",
          `the engine is not shared with other tabs, because the shared worker cannot be used: ${messageOf(error)}`,
          { cause: error },
        );
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /**
   * Waits for the model. Returns `undefined` if this tab has to load it.
   * @param onProgress receives the progress of another tab that loads it
   * @throws RankletError as `Engine.load`; `internal` if the shared worker ends
   */
  async join(onProgress: (progress: DownloadProgress) => void): Promise<ModelInfo | undefined> {
    this.#onProgress = onProgress;
    return this.#answer();
  }

  /** Reports the progress of loading to other tabs. */
  reportProgress(progress: DownloadProgress): void {
    this.#post({ type: "progress", progress });
  }

  /**
   * Sends the model to the shared worker, which starts an engine in workers of this tab.
   * @throws RankletError as `Engine.load`; `internal` if the shared worker ends; NotSharedError if it can start no worker
   */
  async load({ files, settings, workers, split }: ModelForTabs): Promise<ModelInfo> {
    // Plain Blobs, which are all that a message keeps of other ones.
    const blobs = new Map(Array.from(await wholeFiles(files), ([name, file]) => [name, file.slice()]));
    this.#post({ type: "load", files: blobs, settings, workers, split });
    const info = await this.#answer();
    if (info === undefined) throw new RankletError("internal", "the shared worker asked for the model twice");
    return info;
  }

  /** The port for calls. It ends with the whole connection. */
  get calls(): WorkerPort {
    return {
      post: (request) => this.#calls.postMessage(request),
      listen: (onMessage, onEnd) => {
        this.#onEnd = onEnd;
        this.#calls.onmessage = ({ data }) => onMessage(data);
      },
      keepAlive: () => {},
      terminate: () => this.#close(),
    };
  }

  #receive(message: SharedMessage | string, [port]: readonly MessagePort[]): void {
    if (typeof message === "string") {
      this.#fail(`the shared worker sent an invalid message: ${message}`);
      return;
    }
    switch (message.type) {
      case "ready":
        break;
      case "supply":
        this.#resolve(undefined);
        break;
      case "progress":
        this.#onProgress?.(message.progress);
        break;
      case "loaded":
        this.#resolve(message.info);
        break;
      case "failed": {
        const { code, message: text, item, isStart } = message;
        this.#reject(isStart ? new NotSharedError(code, text) : new RankletError(code, text, { item }));
        this.#fail(text);
        break;
      }
      case "start":
        if (port !== undefined) void this.#hosted.start(message.worker, port);
        break;
      case "terminate":
        this.#hosted.terminate(message.worker);
    }
  }

  #answer(): Promise<ModelInfo | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) reject(this.#end);
      [this.#resolve, this.#reject] = [resolve, reject];
    });
  }

  #post(message: TabMessage, transfer: Transferable[] = []): void {
    if (this.#end === undefined) this.#worker.port.postMessage(message, transfer);
  }

  #fail(reason: string): void {
    if (this.#end !== undefined) return;
    this.#close(reason);
    this.#onEnd(reason);
  }

  #close(reason = "the reranker was disposed"): void {
    if (this.#end !== undefined) return;
    this.#post({ type: "leave" });
    this.#end = new RankletError("internal", `the connection to the shared worker ended (${reason})`);
    this.#reject(this.#end);
    this.#lifetime.abort();
    this.#hosted.terminateAll();
    this.#calls.close();
    this.#worker.port.close();
  }
}

/** Connects to a shared worker until one answers. Returns it with the name of its lock. */
function start(name: string, signal: AbortSignal): Promise<{ worker: SharedWorker; sharedLock: string }> {
  let timer: ReturnType<typeof setInterval> | undefined;
  const started = new Promise<{ worker: SharedWorker; sharedLock: string }>((resolve, reject) => {
    const connect = (): void => {
      const worker = newSharedWorker(name);
      worker.onerror = () => reject(new Error(programNotLoaded));
      worker.port.onmessage = ({ data }: MessageEvent<unknown>) => {
        const message = parseSharedMessage(data);
        if (typeof message !== "string" && message.type === "ready") resolve({ worker, sharedLock: message.lock });
        else reject(new Error("it is of another version of the package"));
      };
    };
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    timer = setInterval(connect, reconnectMs);
    connect();
  });
  return started.finally(() => clearInterval(timer));
}
