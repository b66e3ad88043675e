import { RankletError } from "../../errors.js";
import type { WorkerInputs } from "../../load/start/start-in-workers.js";
import type { DownloadProgress, ModelInfo } from "../../types.js";
import type { WorkerPort } from "../../worker/port.js";

/** The error if tabs cannot share an engine. Each can load its own instead. */
export class NotSharedError extends RankletError {}

/** A model as a tab sends it to the shared worker. */
export type ModelForTabs = Pick<WorkerInputs, "files" | "settings" | "workers" | "split">;

/** A tab's connection to the shared worker that holds a model. `TabLink` has its documentation. */
export interface TabConnection {
  readonly calls: WorkerPort;
  join(onProgress: (progress: DownloadProgress) => void): Promise<ModelInfo | undefined>;
  reportProgress(progress: DownloadProgress): void;
  load(model: ModelForTabs): Promise<ModelInfo>;
}

/** Connects a tab to the shared worker of a model, in runtimes that have shared workers. It is `TabLink.open`. */
export type OpenTabLink = (name: string, module: () => Promise<WebAssembly.Module>, signal: AbortSignal) => Promise<TabConnection>;
