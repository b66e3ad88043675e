import { ModelFiles, type WasmLoader } from "../wasm/ranklet.js";

import { messageOf, RankletError } from "../errors.js";
import { isWeightsName } from "../model/model-files.js";
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
    const piece = await bytesOf(name, data.slice(range[0] as number, range[1]));
    callEngine(() => loader.push(piece));
  }
}

function sizeOf(data: FileData): number {
  return "size" in data ? data.size : data.byteLength;
}

/** Returns the bytes of a file. A file that the user chose may have changed on disk since. */
async function bytesOf(name: string, data: FileData): Promise<Uint8Array> {
  try {
    return new Uint8Array("size" in data ? await data.arrayBuffer() : data);
  } catch (error) {
    throw new RankletError("input", `${name} can no longer be read: ${messageOf(error)}; choose it again`, { cause: error });
  }
}
