import { RankletError } from "../errors.js";
import type { ModelFiles } from "../model/model-files.js";
import type { Platform } from "../platform/platform.js";
import { isObject, wrongType } from "../util/check.js";
import { hashOf } from "../util/sha256.js";

/** SHA-256 of files by name, in hexadecimal. */
export type Integrity = Readonly<Record<string, string>>;

/**
 * Checks the option `integrity` of `load`: SHA-256 of files by name, each as "sha256-" and base64, or in hexadecimal.
 * @throws RankletError `input`
 */
export function integrityOption(value: unknown, name: string): Integrity {
  if (!isObject(value)) throw wrongType(name, "an object with the SHA-256 of files by name", value);
  return Object.fromEntries(Object.entries(value).map(([file, hash]) => [file, hexOf(hash, `${name}["${file}"]`)]));
}

/**
 * Checks files against the hashes that the caller has given.
 * @throws RankletError `integrity` for a file with another hash, and for a hash without a file
 */
export async function checkIntegrity(files: ModelFiles, integrity: Integrity, platform: Platform): Promise<ModelFiles> {
  for (const [name, expected] of Object.entries(integrity)) {
    const content = files.get(name);
    if (content === undefined) {
      throw new RankletError("integrity", `load: integrity has a hash of ${name}, and the model has no such file, or it is not read`);
    }
    const hash = await hashOf(platform.newSha256(), content);
    if (hash !== expected) {
      throw new RankletError(
        "integrity",
        `${name} has the SHA-256 ${hash} where integrity says ${expected}: it is damaged, or another file`,
      );
    }
  }
  return files;
}

function hexOf(value: unknown, name: string): string {
  if (typeof value === "string") {
    if (/^[0-9a-f]{64}$/i.test(value)) return value.toLowerCase();
    const base64 = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(value)?.[1];
    if (base64 !== undefined) return Array.from(atob(base64), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  }
  throw wrongType(name, '"sha256-" and 44 characters of base64, or 64 hexadecimal digits', value);
}
