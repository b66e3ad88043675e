import { isWeightsFile } from "../model/model-files.js";
import { BytesBlob } from "../util/bytes-blob.js";
import { ModelFiles, type WasmLoader } from "../wasm/ranklet.js";
import { type ArrivingData, ArrivingReader, isArriving } from "./arriving-reader.js";
import { BlobReader } from "./blob-reader.js";
import { callEngine } from "./call-engine.js";
import { type FileReader, unreadable } from "./file-reader.js";

/** The content of a model's file. Only weights may be arriving. */
export type FileData = Blob | ArrayBuffer | SharedArrayBuffer | ArrivingData;

/** A model's files as the engine takes them. */
interface EngineFiles {
  readonly smallFiles: ModelFiles;
  readonly weights: readonly (readonly [name: string, data: FileData])[];
  /** Total size of the weights. */
  readonly bytes: number;
}

/**
 * Reads all files but the weights.
 * @param chosen the file that the caller chose as the weights
 * @throws RankletError `input` for a file that cannot be read
 */
export async function readSmallFiles(files: ReadonlyMap<string, FileData>, chosen: string | undefined): Promise<EngineFiles> {
  const smallFiles = new ModelFiles();
  const weights: [string, FileData][] = [];
  for (const [name, data] of files) {
    if (isWeightsFile(name, chosen)) weights.push([name, data]);
    else smallFiles.set(name, await bytesOf(name, data));
  }
  return { smallFiles, weights, bytes: weights.reduce((sum, [, data]) => sum + sizeOf(data), 0) };
}

/** Passes a large file to the engine in pieces, because WebAssembly memory that has grown never shrinks. */
export async function pushFile(loader: WasmLoader, name: string, data: FileData): Promise<void> {
  callEngine(() => loader.open(name, BigInt(sizeOf(data))));
  const file = openFile(name, data);
  try {
    for (;;) {
      const range = callEngine(() => loader.wanted());
      if (range === undefined) return;
      const [start = 0, end = 0] = range;
      const reading = file.read(start, end);
      const piece = reading instanceof Promise ? await reading : reading;
      callEngine(() => loader.push(piece));
    }
  } finally {
    file.close();
  }
}

function openFile(name: string, data: FileData): FileReader {
  const bytes = bytesInMemory(data);
  if (bytes !== undefined) return { read: (start, end) => bytes.subarray(start, end), close: () => {} };
  return isArriving(data) ? new ArrivingReader(name, data) : new BlobReader(name, data as Blob);
}

function bytesInMemory(data: FileData): Uint8Array | undefined {
  if (data instanceof BytesBlob) return data.content;
  return "size" in data ? undefined : new Uint8Array(data);
}

function sizeOf(data: FileData): number {
  return "size" in data ? data.size : data.byteLength;
}

async function bytesOf(name: string, data: FileData): Promise<Uint8Array> {
  try {
    return bytesInMemory(data) ?? new Uint8Array(await (data as Blob).arrayBuffer());
  } catch (error) {
    throw unreadable(name, error);
  }
}
