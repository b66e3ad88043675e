import { RankletError } from "../errors.js";
import { isModelFileName, type ModelFiles } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import { isObject, wrongType } from "../util/check.js";
import { hashOf } from "../util/sha256.js";

/** SHA-256 of files by name, in hexadecimal. */
export type Integrity = Readonly<Record<string, string>>;

/** A file differs from the caller's hash. The file may be good, and the hash wrong. */
export class HashMismatchError extends RankletError {
  constructor(message: string) {
    super("integrity", message);
  }
}

/**
 * Checks the option `integrity` of `load`: SHA-256 of files by name, each as "sha256-" and base64, or in hexadecimal.
 * @throws RankletError `input`
 */
export function integrityOption(value: unknown, name: string): Integrity {
  if (!isObject(value)) throw wrongType(name, "an object with the SHA-256 of files by name", value);
  for (const file of Object.keys(value)) if (!isModelFileName(file)) throw withoutFile(file);
  return Object.fromEntries(Object.entries(value).map(([file, hash]) => [file, hexOf(hash, `${name}["${file}"]`)]));
}

/**
 * Checks that a model has all files that the caller has given hashes of.
 * @throws RankletError `input`
 */
export function checkHashedFiles(files: Pick<ReadonlySet<string>, "has">, integrity: Integrity): void {
  for (const name of Object.keys(integrity)) if (!files.has(name)) throw withoutFile(name);
}

/**
 * Checks files against the hashes that the caller has given.
 * @throws RankletError `input` for a hash without a file; a `HashMismatchError` for a file with another hash
 */
export async function checkIntegrity(files: ModelFiles, integrity: Integrity, platform: Platform): Promise<ModelFiles> {
  checkHashedFiles(files, integrity);
  for (const [name, expected] of Object.entries(integrity)) {
    const hash = await hashOf(platform.newSha256(), files.get(name) as Blob);
    if (hash !== expected)
      throw new HashMismatchError(`${name} has the SHA-256 ${hash} where integrity says ${expected}: it is damaged, or another file`);
  }
  return files;
}

function withoutFile(name: string): RankletError {
  return new RankletError("input", `load: integrity has a hash of ${name}, and the model has no such file, or it is not read`);
}

function hexOf(value: unknown, name: string): string {
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
    const base64 = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(value)?.[1];
    if (base64 !== undefined) return Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  }
  throw wrongType(name, '"sha256-" and 44 characters of base64, or 64 hexadecimal digits', value);
}
