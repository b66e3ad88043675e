import { BytesBlob, copyToShared } from "../util/bytes-blob.js";

type Files = ReadonlyMap<string, Blob>;
type Bytes = ReadonlyMap<string, SharedArrayBuffer>;

/** Copies that workers are being started with. Held weakly, because a started worker has its own. */
const copies = new WeakMap<Files, WeakRef<Promise<Bytes>>>();

/** Copies files into memory that workers share. Workers that are started together get the same copy. */
export function sharedBytes(files: Files): Promise<Bytes> {
  const current = copies.get(files)?.deref();
  if (current !== undefined) return current;
  const copying = copyAll(files);
  copies.set(files, new WeakRef(copying));
  return copying;
}

async function copyAll(files: Files): Promise<Bytes> {
  return new Map(await Promise.all(Array.from(files, async ([name, blob]) => [name, await copy(blob)] as const)));
}

async function copy(blob: Blob): Promise<SharedArrayBuffer> {
  if (blob instanceof BytesBlob && blob.content.buffer instanceof SharedArrayBuffer) return blob.content.buffer;
  return (await copyToShared(blob)).buffer;
}
