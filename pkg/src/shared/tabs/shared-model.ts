import { messageOf, RankletError } from "../../errors.js";
import { startInWorkers } from "../../load/start/start-in-workers.js";
import type { Scorer } from "../../scoring/scorer.js";
import type { DownloadProgress } from "../../types.js";
import { whenFree } from "../../util/locks.js";
import { Host, type HostedEngine } from "../../worker/host.js";
import type { WorkerPort } from "../../worker/port.js";
import { WorkerStartError } from "../../worker/worker-start-error.js";
import { type CollectionNumbers, SharedScorer } from "../shared-scorer.js";
import { parseTabMessage, type SharedMessage, type TabMessage } from "./messages.js";
import { Tab } from "./tab.js";

const notJoined = "the engine is not shared with other tabs: their version of the package is another one";

/** Called when the first tab has joined, and when the last one has left. */
interface Occupancy {
  readonly onFirst: () => void;
  readonly onLast: () => void;
}

/**
 * The model that a shared worker holds for all tabs. The tabs load it and start the workers, because most browsers let a shared
 * worker start none. The shared worker distributes the calls of all tabs over the workers. If a tab ends, so do its workers, and
 * another tab starts new ones.
 */
export class SharedModel {
  readonly #occupancy: Occupancy;
  /** In the order in which they joined. */
  readonly #tabs = new Set<Tab>();
  readonly #numbers: CollectionNumbers = { next: 0 };
  /** The tab that was asked to load the model, and the end of starting an engine with its files. */
  #supplier: { readonly tab: Tab; readonly controller: AbortController; isStarting: boolean } | undefined;
  #lastProgress: DownloadProgress | undefined;
  #engine: Scorer | undefined;

  constructor(occupancy: Occupancy) {
    this.#occupancy = occupancy;
  }

  /** Whether a tab has joined. */
  get isUsed(): boolean {
    return this.#tabs.size > 0;
  }

  /**
   * Receives the messages of a new connection. An invalid one ends it, and no other. If it is the first one, the tab is probably of
   * another version of the package, and it loads an engine of its own.
   */
  connect(port: MessagePort): void {
    let tab: Tab | undefined;
    port.onmessage = ({ data, ports }: MessageEvent<unknown>) => {
      const message = parseTabMessage(data);
      const [calls] = ports;
      if (typeof message !== "string" && message.type === "join" && tab === undefined && calls !== undefined) {
        const joined = (tab = new Tab(port, calls));
        whenFree(message.lock, new AbortController().signal, () => this.#leave(joined));
        this.#join(joined);
      } else if (tab !== undefined) {
        this.#receive(tab, message);
      } else {
        port.postMessage({ type: "failed", code: "unsupported", message: notJoined, isStart: true } satisfies SharedMessage);
        port.close();
      }
    };
  }

  #receive(tab: Tab, message: TabMessage | string): void {
    if (!this.#tabs.has(tab)) return;
    if (typeof message === "string" || message.type === "join") {
      this.#fail(
        tab,
        new RankletError("internal", `the tab sent an invalid message: ${typeof message === "string" ? message : "it has joined already"}`),
      );
      return;
    }
    switch (message.type) {
      case "load":
        void this.#load(tab, message);
        break;
      case "progress":
        if (this.#supplier?.tab !== tab) break;
        this.#lastProgress = message.progress;
        for (const other of this.#waiting()) other.post(message);
        break;
      case "ended":
        tab.workerEnded(message.worker, message.reason);
        break;
      case "leave":
        this.#leave(tab);
    }
  }

  #join(tab: Tab): void {
    if (this.#tabs.size === 0) this.#occupancy.onFirst();
    this.#tabs.add(tab);
    if (this.#lastProgress !== undefined) tab.post({ type: "progress", progress: this.#lastProgress });
    this.#admitOrLoad();
  }

  /** Gives the engine to the tabs that wait for it, or asks one of them to load. */
  #admitOrLoad(): void {
    for (const tab of this.#waiting()) {
      if (this.#engine !== undefined) {
        this.#admit(tab, this.#engine);
      } else if (this.#supplier === undefined) {
        this.#supplier = { tab, controller: new AbortController(), isStarting: false };
        tab.post({ type: "supply" });
      }
    }
  }

  #admit(tab: Tab, engine: Scorer): void {
    const scorer = (tab.scorer = new SharedScorer(engine, this.#numbers, "tabs", () => {}));
    const hosted: HostedEngine = {
      scorer,
      isDamaged: false,
      load: () => Promise.reject(new RankletError("input", "the shared worker already has a model")),
    };
    const host = new Host(
      {
        post: (reply, transfer) => {
          tab.reply(reply, transfer);
          if (reply.type !== "failed" || reply.info === undefined) return;
          const { info } = reply;
          for (const other of this.#tabs) if (other !== tab && other.scorer !== undefined) other.reply({ type: "changed", info });
        },
      },
      hosted,
    );
    tab.listen((message) => host.receive(message));
    tab.post({ type: "loaded", info: scorer.info });
  }

  async #load(tab: Tab, { files, settings, workers, split }: Extract<TabMessage, { type: "load" }>): Promise<void> {
    const supplier = this.#supplier;
    if (supplier?.tab !== tab || supplier.isStarting) {
      this.#fail(tab, new RankletError("internal", "the tab was not asked to load the model"));
      return;
    }
    supplier.isStarting = true;
    const startWorker = (): WorkerPort => this.#startWorker();
    const cpuCount = navigator.hardwareConcurrency;
    try {
      const engine = await startInWorkers(
        { startWorker, module: undefined, files, settings, workers, split, cpuCount, survivesLoss: true },
        supplier.controller.signal,
      );
      if (this.#supplier !== supplier) return engine.dispose();
      this.#engine = engine;
      this.#supplier = undefined;
      this.#lastProgress = undefined;
      this.#admitOrLoad();
    } catch (error) {
      this.#fail(tab, error);
    }
  }

  /** Starts a worker in the tab that loads the model, or in the one that joined last, because it is probably in the foreground. */
  #startWorker(): WorkerPort {
    const tab = this.#supplier?.tab ?? [...this.#tabs].at(-1);
    if (tab === undefined) throw new WorkerStartError("internal", "the worker cannot be started, because all tabs were closed");
    return tab.startWorker();
  }

  #fail(tab: Tab, error: unknown): void {
    const { code, item } = error instanceof RankletError ? error : { code: "internal" as const, item: undefined };
    tab.post({ type: "failed", code, message: messageOf(error), item, isStart: error instanceof WorkerStartError });
    this.#leave(tab);
  }

  #leave(tab: Tab): void {
    if (!this.#tabs.delete(tab)) return;
    tab.end();
    if (this.#supplier?.tab === tab) {
      this.#supplier.controller.abort();
      this.#supplier = undefined;
      this.#lastProgress = undefined;
    }
    if (this.#tabs.size > 0) {
      this.#admitOrLoad();
      return;
    }
    this.#engine?.dispose();
    this.#engine = undefined;
    this.#occupancy.onLast();
  }

  /** The tabs that have no engine yet. */
  #waiting(): Tab[] {
    return [...this.#tabs].filter(({ scorer }) => scorer === undefined);
  }
}
