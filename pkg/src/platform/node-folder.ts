import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { RankletError } from "../errors.js";
import { isPlainName, maxListedFiles } from "../model/model-files.js";
import { BytesBlob, copyToShared } from "../util/bytes-blob.js";
import type { ListedFolder } from "./platform.js";

const pieceBytes = 2 ** 22;
/** Snapshots that a message names. */
const maxNamed = 3;

/**
 * Lists the files of a model in a folder, and in the folders in it. For a folder `models--owner--name` of Hugging Face's cache
 * (or `snapshots` in it), these are the files of the snapshot that its `refs/main` names, as in the native program.
 * @returns `undefined` for a folder that does not exist or may not be read
 * @throws RankletError `input` if the path is a file, the whole cache, or a folder of the cache without `refs/main`
 */
export function listFolder(url: URL): ListedFolder | undefined {
  try {
    const folder = modelFolder(fileURLToPath(url));
    return { folder: pathToFileURL(`${folder}/`), files: filesIn(folder) };
  } catch (error) {
    if (error instanceof RankletError) throw error;
    return undefined; // The error of the first file says more.
  }
}

/** Reads a file into memory that workers share. */
export async function readShared(path: URL | string, signal?: AbortSignal): Promise<Blob> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    // The length of a pipe and of some other files is not known.
    return size === 0 ? new Blob([await file.readFile({ signal })]) : await readPieces(file, size, signal);
  } finally {
    await file.close();
  }
}

/** Reads a Blob into memory that workers share: Node 20 ends if one of a file (`openAsBlob`) is sent to a worker. */
export async function readBlob(blob: Blob): Promise<Blob> {
  return new BytesBlob(await copyToShared(blob));
}

async function readPieces(file: FileHandle, size: number, signal: AbortSignal | undefined): Promise<Blob> {
  const bytes = new Uint8Array(new SharedArrayBuffer(size));
  // Other runtimes than Node do not read into shared memory.
  const buffer = "Deno" in globalThis || "Bun" in globalThis ? new Uint8Array(pieceBytes) : undefined;
  let at = 0;
  while (at < size) {
    signal?.throwIfAborted();
    const rest = bytes.subarray(at, at + pieceBytes);
    const piece = buffer?.subarray(0, rest.length) ?? rest;
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) break; // The file has become shorter.
    if (piece !== rest) rest.set(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  return new BytesBlob(at === size ? bytes : bytes.slice(0, at));
}

/** Whether a file or folder exists at a relative path. `false` if that may not be known. */
export function hasPath(path: string): boolean {
  // Deno would ask the user for the permission.
  const { Deno: deno } = globalThis as {
    readonly Deno?: { readonly permissions: { querySync(permission: object): { readonly state: string } } };
  };
  const isPermitted = deno === undefined || deno.permissions.querySync({ name: "read", path }).state === "granted";
  return isPermitted && existsSync(path);
}

function modelFolder(path: string): string {
  if (existsSync(join(path, "config.json"))) return path;
  const file = path.replace(/[\\/]+$/, "");
  if (statSync(file).isFile())
    throw new RankletError("input", `load: ${file} is a file: give the folder that has all files of the model, or the files themselves`);
  const folder = basename(path) === "snapshots" && isFolder(join(dirname(file), "refs")) ? dirname(file) : file;
  const snapshots = join(folder, "snapshots");
  if (!isFolder(snapshots)) {
    checkWholeCache(folder);
    return folder;
  }
  const commit = existsSync(join(folder, "refs", "main")) ? readFileSync(join(folder, "refs", "main"), "utf8").trim() : "";
  const main = join(snapshots, commit);
  if (isPlainName(commit) && isFolder(main)) return main;
  const others = foldersIn(snapshots).sort().slice(0, maxNamed);
  const advice = others.length === 0 ? "download the model again" : `load one of its snapshots: ${others.join(", ")}`;
  throw new RankletError(
    "input",
    `load: ${folder} is a folder of Hugging Face's cache, and its refs/main names no snapshot in it: ${advice}`,
  );
}

function checkWholeCache(folder: string): void {
  const model = foldersIn(folder).find((path) => basename(path).startsWith("models--"));
  if (model === undefined) return;
  throw new RankletError(
    "input",
    `load: ${folder} is Hugging Face's cache of several models: give the id of one, "owner/name", or its folder, such as ${model}`,
  );
}

/** Returns `undefined` for too many files, because a part of them cannot tell what the model lacks. */
function filesIn(folder: string): ReadonlySet<string> | undefined {
  const names = readdirSync(folder);
  if (names.length > maxListedFiles) return undefined;
  const files = new Set(names);
  for (const name of names.filter((other) => isFolder(join(folder, other)))) {
    for (const file of readdirSync(join(folder, name))) files.add(`${name}/${file}`);
    if (files.size > maxListedFiles) return undefined;
  }
  return files;
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder)
    .slice(0, maxListedFiles)
    .map((name) => join(folder, name))
    .filter(isFolder);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
