import { isArriving } from "../engine/arriving-reader.js";
import type { EngineSettings } from "../engine/engine.js";
import { inWorkers } from "../engine/info.js";
import type { PipelinePlan, SplitRequest } from "../engine/pipeline/split.js";
import type { FileData } from "../engine/weights-files.js";
import { RankletError } from "../errors.js";
import { ArrivingFile, type ArrivingFiles, wholeFiles } from "../model/arriving-file.js";
import { BytesBlob } from "../util/bytes-blob.js";
import type { Movable, WorkerPort } from "./port.js";
import { sharedBytes } from "./shared-bytes.js";
import { type ConnectedModel, type Connector, WorkerConnection } from "./worker-connection.js";

/** The inputs of a worker. They are kept, so that a lost worker can be replaced without reading the files again. */
export interface WorkerStart {
  readonly startWorker: () => WorkerPort;
  /** `undefined` if the tab that starts the worker gives it the module. */
  readonly module: WebAssembly.Module | undefined;
  readonly files: ArrivingFiles;
  readonly settings: EngineSettings;
}

/** Starts workers and loads the model into them. */
export class WorkerStarter implements Connector {
  readonly #start: WorkerStart;
  #prestarted: WorkerConnection | undefined;

  /** @param prestarted a started worker without a model, which is the first to be used */
  constructor(start: WorkerStart, prestarted?: WorkerConnection) {
    this.#start = start;
    this.#prestarted = prestarted;
  }

  async connect(signal: AbortSignal): Promise<ConnectedModel> {
    const prestarted = this.#prestarted;
    this.#prestarted = undefined;
    return loadIntoWorker(prestarted ?? new WorkerConnection(this.#start.startWorker()), this.#start, signal);
  }

  end(reason: RankletError): void {
    this.#prestarted?.close(reason);
  }
}

/** Returns a model's files as they are sent to a worker. */
export async function filesFor({ leaksBlobs }: WorkerConnection, files: WorkerStart["files"]): Promise<ReadonlyMap<string, FileData>> {
  if (leaksBlobs) return sharedBytes(await wholeFiles(files));
  return new Map(await Promise.all(Array.from(files, async ([name, file]) => [name, await contentFor(file)] as const)));
}

/** Returns shared memory as it is, and a copy of other memory, which then moves to the worker. */
async function contentFor(file: Blob | ArrivingFile): Promise<FileData> {
  if (file instanceof ArrivingFile) return file.forWorker();
  if (!(file instanceof BytesBlob)) return file;
  const { buffer } = file.content;
  return buffer instanceof ArrayBuffer ? file.arrayBuffer() : buffer;
}

/** Returns what moves to the worker: buffers, and ports that deliver files. */
export function movedWith(files: ReadonlyMap<string, FileData>): readonly Movable[] {
  return [...files.values()].flatMap((data): readonly Movable[] =>
    data instanceof ArrayBuffer ? [data] : isArriving(data) ? [data.port] : [],
  );
}

/**
 * Loads the model into a started worker.
 * @param split how to split the model, if this worker is the first of several
 * @throws RankletError as `Engine.load`; `internal` if the worker ends
 */
export async function loadIntoWorker(
  connection: WorkerConnection,
  { module, files, settings }: WorkerStart,
  signal: AbortSignal,
  split?: SplitRequest | PipelinePlan,
): Promise<ConnectedModel> {
  try {
    const sent = await filesFor(connection, files);
    const answer = await connection.call((call) => ({ type: "load", call, module, files: sent, settings, split }), {
      signal,
      transfer: movedWith(sent),
    });
    if (answer.type !== "loaded") throw new RankletError("internal", "the worker did not describe the model it loaded");
    return { connection, info: inWorkers(answer.info, 1) };
  } catch (error) {
    connection.close("the worker could not load the model");
    throw error;
  }
}
