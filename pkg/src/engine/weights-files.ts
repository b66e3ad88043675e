import { ModelFiles, type WasmLoader } from "../wasm/ranklet.js";

import { messageOf, RankletError } from "../errors.js";
import { isWeightsName } from "../model/model-files.js";
import { BytesBlob } from "../util/bytes-blob.js";
import { callEngine } from "./call-engine.js";

/** The content of a model's file. */
export type FileData = Blob | ArrayBuffer | SharedArrayBuffer;

/** A model's files as the engine takes them. */
export interface EngineFiles {
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
    if (name === chosen ? !name.endsWith(".json") : isWeightsName(name)) weights.push([name, data]);
    else smallFiles.set(name, await bytesOf(name, data));
  }
  return { smallFiles, weights, bytes: weights.reduce((sum, [, data]) => sum + sizeOf(data), 0) };
}

/** Passes a large file to the engine in pieces, because WebAssembly memory that has grown never shrinks. */
export async function pushFile(loader: WasmLoader, name: string, data: FileData): Promise<void> {
  callEngine(() => loader.open(name, BigInt(sizeOf(data))));
  for (;;) {
    const range = callEngine(() => loader.wanted());
    if (range === undefined) return;
    const [start = 0, end = 0] = range;
    const bytes = bytesInMemory(data);
    const piece = bytes?.subarray(start, end) ?? (await bytesOf(name, (data as Blob).slice(start, end)));
    callEngine(() => loader.push(piece));
  }
}

function bytesInMemory(data: FileData): Uint8Array | undefined {
  if (data instanceof BytesBlob) return data.content;
  return "size" in data ? undefined : new Uint8Array(data);
}

function sizeOf(data: FileData): number {
  return "size" in data ? data.size : data.byteLength;
}

/** Returns the bytes of a file. A file that the user chose may have changed on disk since. */
async function bytesOf(name: string, data: FileData): Promise<Uint8Array> {
  try {
    return bytesInMemory(data) ?? new Uint8Array(await (data as Blob).arrayBuffer());
  } catch (error) {
    throw new RankletError("input", `${name} can no longer be read: ${messageOf(error)}; choose it again`, { cause: error });
  }
}
